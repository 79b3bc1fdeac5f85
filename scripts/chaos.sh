#!/usr/bin/env bash
# Plays faults against a whole installation under load (e2e/chaos): MINUTES of them (5), from SEED (a random one).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
scripts/install.sh build database

say "chaos: building"
cargo build --locked --quiet --workspace --bins

dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
# shellcheck disable=SC2317 # the trap reaches it
finish() {
  local status=$?
  trap - ERR EXIT
  scripts/service.sh stop all "$dir" || status=1
  rm -rf --one-file-system "$dir"
  exit "$status"
}
trap finish EXIT
for service in postgres redis; do
  scripts/service.sh start "$service" "$dir" >"$dir/$service.env"
  # shellcheck source=/dev/null
  . "$dir/$service.env"
done
"$(target_dir)/debug/sprout-chaos" --services "$dir" --minutes "${MINUTES:-5}" ${SEED:+--seed "$SEED"}
