#!/usr/bin/env bash
# Runs every test against real parts: private PostgreSQL and Redis, a private container engine, a private libvirt with QEMU machines in a network
# namespace of its own. Starts them in a temporary directory, stops them whatever happens, and ends with one summary.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
export PATH
PATH=$(tools_dir):$PATH
started=$SECONDS

scripts/install.sh test

# Short, because sockets live in it; open, because daemons that run as their own users must get in.
dir=$(mktemp -d /tmp/sprout.XXXX)
chmod 755 "$dir"
# shellcheck disable=SC2317 # the trap reaches it
finish() {
  local status=$?
  trap - ERR EXIT
  kill "${jobs[@]}" 2>/dev/null || true
  scripts/service.sh stop all "$dir" || status=1
  if [ "$status" = 0 ] || [ -n "${CI:-}" ]; then rm -rf --one-file-system "$dir"; else say "logs are kept in $dir"; fi
  exit "$status"
}
jobs=()
trap finish EXIT

scripts/lint.sh

scripts/ui.sh
say "test: building"
# In one go: programs alone would be built with other features of what they depend on, and all of that twice.
cargo build --locked --workspace --bins --tests --examples --quiet

say "test: starting private services in $dir"
engine=$(engine_service)
for service in postgres redis "$engine" libvirt; do
  scripts/service.sh start "$service" "$dir" >"$dir/$service.env"
  # shellcheck source=/dev/null
  . "$dir/$service.env"
done
scripts/demo-image.sh 1.0.0 "$SPROUT_TEST_DOCKER" >"$dir/image.env"
scripts/vm-image.sh 1.0.0 "$dir/image" >>"$dir/image.env"
# shellcheck source=/dev/null
. "$dir/image.env"
cp "$SPROUT_TEST_VM_IMAGE" "$dir/libvirt/pool/"
virsh --quiet --connect "$SPROUT_TEST_LIBVIRT" pool-refresh "$SPROUT_TEST_LIBVIRT_POOL" >&2
export SPROUT_TEST_REQUIRE=1 # a test that finds its provider or database missing fails instead of passing quietly

# One more than there are cores: what waits for a container or a process needs none.
export NEXTEST_TEST_THREADS=$(($(nproc) + 1))
# What talks to virtual machines runs inside their network, all else outside; the two side by side.
libvirt='test(libvirt)'
say "test: running"
run() { # NAME FILTER PREFIX...
  local name=$1 filter=$2
  shift 2
  "$@" cargo nextest run --locked --workspace --no-fail-fast --status-level pass --final-status-level none \
    --color never --filterset "$filter" >"$dir/$name.log" 2>&1
}
(run libvirt "$libvirt" nsenter --net="/run/netns/$SPROUT_TEST_NETNS" || exit 1) &
jobs+=($!)
(scripts/test-python.sh --color=no >"$dir/python.log" 2>&1 || exit 1) &
jobs+=($!)
failed=0
run main "not $libvirt" || failed=1
wait "${jobs[0]}" || failed=1
python=0
wait "${jobs[1]}" || failed=1 python=1
jobs=()
# Last, and alone: its tests look at what people see within a second.
ui=0
scripts/test-ui.sh >"$dir/ui.log" 2>&1 || failed=1 ui=1

for name in main libvirt; do
  grep -vE '^ *(PASS|START|Starting|Finished|Compiling)|^ *$' "$dir/$name.log" || true
done
[ "$python" = 0 ] || cat "$dir/python.log"
[ "$ui" = 0 ] || cat "$dir/ui.log"
# What pytest's last line counts; if it did not come that far, that is one failure.
pytest_count() {
  { grep -E '^=+ .* in [0-9.]+' "$dir/python.log" | tail -1 | grep -oE "[0-9]+ ($1)" || true; } | awk '{n += $1} END {print n + 0}'
}
python_passed=$(pytest_count passed) python_failed=$(pytest_count 'failed|errors?')
[ "$python_failed" -ge "$python" ] || python_failed=$python
# The same of the browser UI, as its last line says.
ui_count() { { tail -1 "$dir/ui.log" | grep -oE "[0-9]+ $1" || echo 0; } | cut -d' ' -f1; }
ui_passed=$(ui_count passed) ui_failed=$(ui_count failed)
[ "$ui_failed" -ge "$ui" ] || ui_failed=$ui
count() { cat "$dir/main.log" "$dir/libvirt.log" | grep -E "^ *$1 \[" | grep -cE "$2" || true; }
bad='(FAIL|TIMEOUT|SIG[A-Z]+|ABORT|LEAK-FAIL)'
summary() { printf '%-28s %5s passed %5s failed\n' "$1" "$(count PASS "$2")" "$(count "$bad" "$2")"; }
echo
echo "Tests per database and driver (one test may count for both):"
summary "on SQLite" sqlite
summary "on PostgreSQL" postgres
summary "container driver on $engine" 'container|docker|podman'
summary "libvirt driver on QEMU" libvirt
printf '%-28s %5s passed %5s failed\n' "Python client and plugin" "$python_passed" "$python_failed"
printf '%-28s %5s passed %5s failed\n' "Browser UI" "$ui_passed" "$ui_failed"
printf '%-28s %5s passed %5s failed\n' "all" "$(($(count PASS .) + python_passed + ui_passed))" "$(($(count "$bad" .) + python_failed + ui_failed))"
echo "took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
echo "$(($(count PASS .) + python_passed + ui_passed)) passed, $(($(count "$bad" .) + python_failed + ui_failed)) failed"
exit $failed
