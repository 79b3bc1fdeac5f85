#!/usr/bin/env bash
# Lives through seeded days (e2e/simulation) on both databases, in an optimised build: SEEDS=FROM..TO (0..1000), or one with its whole trace: SEED=N.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
scripts/install.sh build database

dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
trap 'scripts/service.sh stop all "$dir" && rm -rf --one-file-system "$dir"' EXIT
scripts/service.sh start postgres "$dir" >"$dir/postgres.env"
# shellcheck source=/dev/null
. "$dir/postgres.env"
export SPROUT_SIMULATION_SEEDS=${SEEDS:-0..1000}
[ -z "${SEED:-}" ] || export SPROUT_SIMULATION_SEED=$SEED
say "simulate: building, optimised (the first time takes some minutes)"
cargo test --locked --release --quiet -p sprout-simulation --test seeds -- --exact sqlite postgres --nocapture --test-threads 1
