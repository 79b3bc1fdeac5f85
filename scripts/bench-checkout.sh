#!/usr/bin/env bash
# Measures a warm checkout in an optimised build, on SQLite and on a private PostgreSQL, and stops what it started.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

scripts/install.sh build database
say "bench: building, optimised (the first time takes some minutes)"
cargo build --locked --release --quiet -p sprout-server -p sprout-benches
dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
trap 'scripts/service.sh stop all "$dir" && rm -rf --one-file-system "$dir"' EXIT
scripts/service.sh start postgres "$dir" >"$dir/postgres.env"
# shellcheck source=/dev/null
. "$dir/postgres.env"
"$(target_dir)/release/sprout-bench" checkout
