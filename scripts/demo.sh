#!/usr/bin/env bash
# Plays the main job in front of whoever looks on: two appliances from a container engine of this machine, requested, used and
# killed with sproutctl. Then stays up to be tried, until Ctrl-C; with ONCE=1 it ends by itself. All it makes is in target/demo
# and on the engine, and is removed at the end; what a demo that was killed has left, the next one removes first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/lib-service.sh
. "$here/lib-service.sh"
# shellcheck source=scripts/lib-demo.sh
. "$here/lib-demo.sh"

[ $# = 0 ] || die "the demo takes no arguments" "usage: [ONCE=1] scripts/demo.sh"
case ${ONCE:-0} in 0 | no | false) once= ;; *) once=1 ;; esac
group=demo old=1.0.0 new=1.1.0
# What the user has set for a Sprout of their own is not for this one.
for name in $(compgen -A export | grep '^SPROUT_' || true); do unset "$name"; done
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1

# A Ctrl-C is how the demo is meant to end, once it has shown everything.
# shellcheck disable=SC2317 # the traps reach it
stop() { if [ -n "$shown" ]; then exit 0; else exit "$1"; fi; }
trap 'stop 130' INT
trap 'stop 143' TERM HUP
trap finish EXIT
owner='' shown='' started=$EPOCHREALTIME

"$here/install.sh" build container ui
work=$(mkdir -p "$(target_dir)/demo" && cd "$(target_dir)/demo" && pwd -P)
export CARGO_TARGET_DIR=${work%/demo}
PATH=$CARGO_TARGET_DIR/debug:$PATH
take_over

section "Building"
# Everything else of the demo works without it.
"$here/ui.sh" || warn "the browser UI could not be built; its pages will say so"
(cd "$ROOT" && cargo build --locked --workspace --bins) || die "Sprout could not be built" "see what cargo says above"

section "Starting"
find_engine
export DOCKER_HOST=unix://$socket
for version in $old $new; do "$here/demo-image.sh" "$version" >>"$work/images" || exit 1; done
port=7600 web_port=7680
! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { port=$(free_port) && say "port 7600 is taken; using $port"; }
! (exec 3<>"/dev/tcp/127.0.0.1/$web_port") 2>/dev/null || { web_port=$(free_port) && say "port 7680 is taken; using $web_port"; }
write_configuration
admin_password=$(secret | cut -c1-12) user_password=$(secret | cut -c1-12)
sprout --config "$work/sprout.yaml" create-superuser --name admin --password-stdin <<<"$admin_password" >>"$work/sprout.log" 2>&1 ||
  fail "the superuser could not be created"
start_sprout
export SPROUT_SERVER=http://127.0.0.1:$port
as admin login admin --password-stdin <<<"$admin_password" >/dev/null 2>&1 || fail "the superuser could not sign in"
# That she is in no group yet, which this says, is mended with the next line.
said=$(as admin user create alice --password-stdin <<<"$user_password" 2>&1) || fail "the user alice could not be created: $said"
as admin user-group create testers --user alice --provider local >/dev/null ||
  fail "the user group of alice could not be created"
fact server "$SPROUT_SERVER, with SQLite, one worker and the container driver"
fact browser "http://127.0.0.1:$web_port, the same in a browser"
fact log "$work/sprout.log"
fact superuser "admin, password $admin_password"
fact user "alice, password $user_password"

section "Who is there, and what can be had"
export XDG_CONFIG_HOME=$work/alice
run sproutctl login alice --password-stdin <<<"$user_password"
note "the provider is looked at once a while; its administrator can have that done at once"
XDG_CONFIG_HOME=$work/admin run sproutctl provider check local --wait
run sproutctl provider list
run sproutctl template list --group $group

section "Two appliances of the newest version, please"
requested=$EPOCHREALTIME
run sproutctl pool request $group -n 2 --lease 30m --description "the demo" --wait
note "from the request to the second ready appliance: $(since "$requested") s"
pool=$(newest_pool)
each_answers "$pool" $new

section "Working with them"
run sproutctl pool extend "$pool" 2h
run sproutctl status
appliance=$(sproutctl appliance list --pool "$pool" -o json | values id | head -1)
run sproutctl appliance get "$appliance"
run sproutctl appliance logs "$appliance"
our_containers 2 "the engine itself knows them by Sprout's labels"

section "Giving them back"
run sproutctl pool kill "$pool" --yes --wait
our_containers 0 "nothing is left"

section "Again, and this time they are warm"
note "the administrator says how many, and Sprout keeps two of the newest ready in advance"
XDG_CONFIG_HOME=$work/admin run sproutctl shepherd set $group --preconfigured 2
until_true 30 warm_are_ready || fail "the warm appliances did not get ready"
XDG_CONFIG_HOME=$work/admin run sproutctl appliance list --warm
requested=$EPOCHREALTIME
run sproutctl pool request $group -n 2 --lease 30m --wait
note "from the request to two ready appliances, the start of sproutctl included: $(since "$requested") s"
pool=$(newest_pool)
each_answers "$pool" $new
run sproutctl pool kill "$pool" --yes --wait

section "A command with an appliance, and nothing to tidy up"
run sproutctl checkout $group -- sh -c "$(checkout_script)"
until_true 30 nothing_is_lent || fail "something is still lent"
shown=1
section "Done"

[ -z "$once" ] || exit 0
write_test
cat <<END
Sprout stays up. In another terminal, try:

  export SPROUT_SERVER=$SPROUT_SERVER XDG_CONFIG_HOME=$XDG_CONFIG_HOME PATH=$CARGO_TARGET_DIR/debug:\$PATH
  sproutctl status
  sproutctl pool request $group -n 3 --version $old --wait
  sproutctl event watch
  sproutctl checkout $group -- sh -c '$(checkout_script)'
  $(pytest_command)
  sproutctl --help

You are alice there; XDG_CONFIG_HOME=$work/admin makes you the administrator. Ctrl-C here stops and removes everything.

In a browser: http://127.0.0.1:$web_port
  sign in as alice, password $user_password, or as admin, password $admin_password
END
wait "$(cat "$work/sprout.pid")" || true
fail "sprout ended by itself"
