#!/usr/bin/env bash
# Runs one scenario of the benchmark in an optimised build, against private services that it starts and stops: checkout, ready or idle.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
scenario=${1:-checkout}

dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
trap 'scripts/service.sh stop all "$dir" && rm -rf --one-file-system "$dir"' EXIT
# start SERVICE: starts it and takes over what it prints
start() {
  scripts/service.sh start "$1" "$dir" >"$dir/$1.env"
  # shellcheck source=/dev/null
  . "$dir/$1.env"
}

case $scenario in
  checkout) scripts/install.sh build database && start postgres ;;
  ready)
    scripts/install.sh build container && start "$(engine_service)"
    scripts/demo-image.sh 1.0.0 "$SPROUT_TEST_DOCKER" >/dev/null
    ;;
  idle) scripts/install.sh build ;;
  *) die "there is no scenario '$scenario'" "run scripts/bench.sh checkout, ready or idle" ;;
esac
say "bench: building, optimised (the first time takes some minutes)"
cargo build --locked --release --quiet -p sprout-server -p sprout-worker -p sprout -p sprout-benches
"$(target_dir)/release/sprout-bench" "$scenario"
