#!/usr/bin/env bash
# A walk through Sprout with sproutctl, to be read and to be run: an administrator gives two users a provider and keeps two appliances warm;
# one user asks for three, uses and keeps them, and gives them to the other, who ends them. Each command is shown before it is run, each
# outcome is checked, and what was made is removed at the end, whatever happens.
set -euo pipefail

usage() {
  cat <<'END'
usage: docs/walkthrough.sh [--config FILE] GROUP PROVIDER

  GROUP      product line of which appliances are requested, of the newest version (sproutctl group list)
  PROVIDER   key of the provider that has its templates, with room for six appliances (sproutctl provider list)
  --config   configuration of the server: if there is no superuser ADMIN yet, it is created. Without it, ADMIN must be there.

environment:
  SPROUT_SERVER    the server, as for sproutctl [default: http://127.0.0.1:7600]
  ADMIN            name of a superuser [default: admin]
  ADMIN_PASSWORD   the password of ADMIN; asked for at a terminal
  SERVER           program that creates the superuser: sprout-server, or sprout for an all-in-one [default: sprout]
  PATIENCE         how long a deployment may take at most [default: 15m]

The users walk-alice and walk-bob and the user group walkers are made for it. The group is deleted at the end; the users are disabled,
because what they did stays in the audit log and the usage. exit codes: 0 all went as told here, 1 something did not, 2 wrong arguments
END
}

wrong() {
  printf 'error: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

config=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --config) [ $# -ge 2 ] || wrong "--config needs a file" && config=$2 && shift 2 ;;
    -*) wrong "there is no option $1" ;;
    *) break ;;
  esac
done
[ $# = 2 ] || wrong "GROUP and PROVIDER are needed, and $# arguments were given"
group=$1 provider=$2 admin=${ADMIN:-admin} patience=${PATIENCE:-15m}
command -v sproutctl >/dev/null || wrong "sproutctl is not on the PATH; add the directory that has it (after 'make build': target/debug)"
if [ -z "${ADMIN_PASSWORD:-}" ]; then
  [ -t 0 ] || wrong "ADMIN_PASSWORD is not set, and there is no terminal to ask at"
  read -r -s -p "Password of $admin: " ADMIN_PASSWORD && echo
fi
# Whom each command is for is said below, by the directory that sproutctl keeps its token in; nothing else may say otherwise.
unset SPROUT_TOKEN SPROUTCTL_CONFIG
work=$(mktemp -d)
user_password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')

# --- How the story is told -------------------------------------------------------------------------------------------------------------

section() { printf '\n## %s\n' "$1"; }
fail() {
  printf '\nerror: %s\n' "$1" >&2
  exit 1
}
be() { who=$1 && export XDG_CONFIG_HOME=$work/$1; }
show() {
  local word line=
  for word; do
    case $word in *[!A-Za-z0-9_./:=@%+,-]*) line+=" '$word'" ;; *) line+=" $word" ;; esac
  done
  printf '\n%s$%s\n' "$who" "$line"
}
# run COMMAND...: shows it, and runs it
run() {
  show "$@"
  "$@" || fail "the command above ended with exit code $?, and 0 was expected; what it says itself tells what to do"
}
# look COMMAND...: shows it, and keeps what it answers as JSON, for the checks below
look() {
  show "$@" -o json
  "$@" -o json >"$work/answer" || fail "the command above ended with exit code $?, and 0 was expected"
}
# refused CODE COMMAND...: shows it, and wants it to end with that exit code
refused() {
  local wanted=$1 code=0
  shift
  show "$@"
  "$@" || code=$?
  [ "$code" = "$wanted" ] || fail "the command above ended with exit code $code, and $wanted was expected"
  printf '# refused, exit code %s\n' "$code"
}
# field NAME: what a field of the answer holds, one line for each thing in it
field() { sed -nE "/: null,?\$/d; s/^ {2,4}\"$1\": \"?([^\"]*[^\",])\"?,?\$/\1/p" "$work/answer"; }
# members NAME: the same of the appliances of the answered pool
members() { sed -nE "/: null,?\$/d; s/^ {6}\"$1\": \"?([^\"]*[^\",])\"?,?\$/\1/p" "$work/answer"; }
# is WHAT FOUND OPERATOR WANTED: checks numbers (-eq, -ge), words (=) or times (later than)
is() {
  case $3 in
    = | -eq | -ge) [ -n "$2" ] && test "$2" "$3" "$4" ;;
    later) [[ $2 > $4 ]] ;;
  esac || fail "$1: no, found '$2', wanted $3 '$4'"
  printf '# checked: %s (%s)\n' "$1" "$2"
}
# warm_ones: ids of the appliances that are kept warm for the walkers
warm_ones() {
  look sproutctl appliance list --warm --group "$group" --provider "$provider"
  awk -F'[ ,]+' '$2 == "\"id\":" { id = $3 } $2 == "\"user_group\":" && $3 == "\"walkers\"" { print id }' "$work/answer" >"$work/warm"
}
# made COMMAND...: shows it, and runs it; false if what it is to make is there already, from a walk that was cut off
made() {
  local code=0
  show "$@"
  "$@" || code=$?
  case $code in 0) return 0 ;; 6) echo "# it is there from an earlier walk" && return 1 ;; *) fail "the command above ended with exit code $code" ;; esac
}
# user NAME: makes a user in the group walkers
user() {
  made sproutctl user create "$1" --password-stdin <<<"$user_password" || {
    run sproutctl user update "$1" --enable
    run sproutctl user passwd "$1" --password-stdin <<<"$user_password"
  }
  run sproutctl user-group add walkers --user "$1"
}

# --- The end, however it comes ---------------------------------------------------------------------------------------------------------

begun=''
: >"$work/warm"
# shellcheck disable=SC2317 # the trap reaches it
finish() {
  local status=$?
  trap - EXIT
  [ -z "$begun" ] || clean_up || status=1
  rm -rf "$work"
  [ "$status" != 0 ] || printf '\nAll went as told.\n'
  exit "$status"
}
# One step that fails keeps none of the others from being tried.
# shellcheck disable=SC2317
clean_up() {
  local name id result=0
  section "Nothing is kept warm any more, and nobody is left"
  be "$admin"
  for name in walk-alice walk-bob; do
    (run sproutctl pool kill-all --owner "$name" --yes) || result=1
    (run sproutctl user update "$name" --disable --yes) || result=1
  done
  (run sproutctl shepherd set "$group" --for walkers --preconfigured 0) || result=1
  (warm_ones) || result=1
  while read -r id; do (run sproutctl appliance watch "$id") || result=1; done <"$work/warm"
  (warm_ones && [ ! -s "$work/warm" ] || fail "still warm: $(tr '\n' ' ' <"$work/warm")") || result=1
  (run sproutctl user-group delete walkers --yes) || result=1
  return $result
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- The story -------------------------------------------------------------------------------------------------------------------------

section "The superuser"
be "$admin"
if [ -n "$config" ]; then
  run "${SERVER:-sprout}" create-superuser --config "$config" --name "$admin" --if-missing --password-stdin <<<"$ADMIN_PASSWORD"
fi
run sproutctl login "$admin" --password-stdin <<<"$ADMIN_PASSWORD"
look sproutctl whoami
is "$admin is a superuser" "$(field role)" = superuser

section "A user group with a provider, and two users in it"
run sproutctl provider check "$provider" --wait
run sproutctl template list --group "$group" --provider "$provider"
begun=1
made sproutctl user-group create walkers || true
run sproutctl user-group add walkers --provider "$provider"
user walk-alice
user walk-bob
run sproutctl user-group get walkers

section "Two appliances are kept warm for the user group"
run sproutctl shepherd plan "$group" --for walkers --preconfigured 2
run sproutctl shepherd set "$group" --for walkers --preconfigured 2 --wait --timeout "$patience"
look sproutctl shepherd list --group "$group" --for walkers
is "two are warm" "$(field warm)" -ge 2

section "A request of three: two are there at once, one is deployed"
be walk-alice
run sproutctl login walk-alice --password-stdin <<<"$user_password"
request=walk-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
look sproutctl pool request "$group" -n 3 --provider "$provider" --lease 30m --description "a walk" --request-id "$request"
pool=$(field id)
is "two of the three are there already" "$(field ready_count)" -ge 2
run sproutctl pool why "$pool"
# The same request id is the same pool, for good: a script that was cut off asks again, and gets what it asked for.
run sproutctl pool request "$group" -n 3 --provider "$provider" --lease 30m --description "a walk" --request-id "$request" \
  --wait --timeout "$patience"
look sproutctl pool get "$pool"
is "all three are ready" "$(field ready_count)" -eq 3
until=$(field leased_until) appliances=$(members id) first=$(members id | head -1)

section "Working with them"
run sproutctl appliance get "$first"
run sproutctl pool extend "$pool" 2h
look sproutctl pool get "$pool"
is "the lease ends later" "$(field leased_until)" later "$until"
run sproutctl appliance hold "$first" --reason "a crash to be looked into" --for 1d
look sproutctl appliance get "$first"
is "it is held beyond its lease" "$(field held_until)" later "$(field leased_until)"

section "Another pool of the same kind becomes part of it"
look sproutctl pool clone "$pool" -n 1 --wait --timeout "$patience"
other=$(field id) appliances+=" $(members id)"
run sproutctl pool merge "$pool" "$other" --yes
look sproutctl pool get "$pool"
is "it has four appliances now" "$(field ready_count)" -eq 4
look sproutctl pool get "$other"
is "the other one has ended" "$(field state)" = ended

section "Somebody else goes on with it"
run sproutctl pool transfer "$pool" walk-bob
refused 3 sproutctl pool get "$pool"
be walk-bob
run sproutctl login walk-bob --password-stdin <<<"$user_password"
run sproutctl pool list
look sproutctl pool get "$pool"
is "it is Bob's" "$(field owner)" = walk-bob

section "Giving it back"
run sproutctl pool kill "$pool" --yes --wait --timeout "$patience"
look sproutctl pool get "$pool"
is "the pool has ended" "$(field state)" = ended
be "$admin"
for id in $appliances; do
  look sproutctl appliance get "$id"
  is "appliance $id is gone: the provider was asked, and has it no more" "$(field state)" = gone
done
run sproutctl usage --by user,group --user-group walkers
