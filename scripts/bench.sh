#!/usr/bin/env bash
# Runs the benchmark in an optimised build, against private services that it starts and stops: all scenarios, or those named (checkout,dispatch).
# Prints a table, which goes to target/bench/, too, with all figures as JSON; and into a document that has a place for it, if one is named.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
scenarios=${1:-} document=${2:-}

dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
trap 'scripts/service.sh stop all "$dir" && rm -rf --one-file-system "$dir"' EXIT
# start SERVICE: starts it and takes over what it prints
start() {
  scripts/service.sh start "$1" "$dir" >"$dir/$1.env"
  # shellcheck source=/dev/null
  . "$dir/$1.env"
}

scripts/install.sh build database
# What a small server of one's own would be set to; everything else, and above all fsync, as PostgreSQL comes.
SPROUT_POSTGRES_CONF="shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
random_page_cost = 1.1" start postgres
start redis
SPROUT_BENCH_POSTGRES_PID=$(head -1 "$dir/postgres/postgres.pid")
SPROUT_BENCH_REDIS_PID=$(head -1 "$dir/redis/redis.pid")
export SPROUT_BENCH_POSTGRES_PID SPROUT_BENCH_REDIS_PID
# Debian keeps pgbench, like the server, off the PATH.
PATH=$PATH:$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)

celery=$(target_dir)/celery
if ! cmp -s benches/celery/requirements.txt "$celery/installed.txt"; then
  say "bench: installing Celery from PyPI into $celery (to be compared with)"
  if python3 -m venv "$celery" >&2 && "$celery/bin/pip" install --quiet --disable-pip-version-check --requirement benches/celery/requirements.txt >&2; then
    cp benches/celery/requirements.txt "$celery/installed.txt"
  else
    warn "Celery could not be installed: it is left out"
  fi
fi
[ ! -f "$celery/installed.txt" ] || export SPROUT_BENCH_CELERY=$celery/bin/python

case ,$scenarios, in
  *,containers,*)
    scripts/install.sh container && start "$(engine_service)"
    scripts/demo-image.sh 1.0.0 "$SPROUT_TEST_DOCKER" >/dev/null
    ;;
esac
say "bench: building, optimised (the first time takes some minutes)"
cargo build --locked --release --quiet -p sprout-server -p sprout-worker -p sprout -p sprout-sim -p sprout-benches
"$(target_dir)/release/sprout-bench" --output "$(target_dir)/bench" ${document:+--document "$document"} "$scenarios"
