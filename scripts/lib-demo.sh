# shellcheck shell=bash disable=SC2154 # what is not assigned here is demo.sh's
# The parts of the demo that are not its story: how it speaks, its engine, its configuration, and how it leaves nothing. Sourced.

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f", to - from }'; }
section() { printf '\n%s%s%s %safter %.0f s%s\n' "$bold" "$1" "$plain" "$dim" "$(since "$started")" "$plain"; }
fact() { printf '  %-10s %s\n' "$1" "$2"; }
note() { printf '%s# %s%s\n' "$dim" "$1" "$plain"; }

# show COMMAND...: as one would type it
show() {
  local word line=
  for word; do
    case $word in *[!A-Za-z0-9_./:=@%+,-]*) line+=" '$word'" ;; *) line+=" $word" ;; esac
  done
  printf '\n%s$%s%s\n' "$bold" "$line" "$plain"
}
# run COMMAND...: shows and runs it; its failure is that of the demo
run() {
  show "$@"
  "$@" || fail "the command above ended with exit code $?"
}

# fail WHAT: ends the demo, saying where to look
fail() {
  say
  say "error: $1"
  if [ -s "$work/sprout.log" ]; then
    say "  the last lines of $work/sprout.log:"
    tail -5 "$work/sprout.log" | cut -c1-300 | sed 's/^/  /' >&2
  fi
  exit 1
}

# values NAME: what a field holds, in the JSON that sproutctl prints, one value a line
values() { sed -nE "/: null,?\$/d; s/^ *\"$1\": \"?([^\"]*[^\",])\"?,?\$/\1/p"; }

# engine PATH [CURL OPTION...]: one call of the engine's API
engine() {
  local path=$1
  shift
  curl --silent --show-error --fail --globoff --max-time 30 --unix-socket "$socket" "$@" "http://engine$path"
}
# Containers with our label, as the engine lists them
ours() { engine "/containers/json?all=true&filters={\"label\":[\"io.sprout.installation-id=$installation\"]}"; }
our_ids() { ours | grep -oE '"Id":"[0-9a-f]{64}"' | cut -d'"' -f4 || true; }

# find_engine: sets socket to that of an engine of this machine, or of one that is started for the demo
find_engine() {
  local candidate home
  if [ -n "${DOCKER_HOST:-}" ]; then
    socket=${DOCKER_HOST#unix://}
    [[ $socket == /* ]] || die "DOCKER_HOST is $DOCKER_HOST, and the demo needs an engine on this machine" "unset DOCKER_HOST, or set it to unix:///PATH"
    engine_answers "$socket" || die "no container engine answers on $DOCKER_HOST, which DOCKER_HOST names" "start that engine, or unset DOCKER_HOST"
  else
    socket=
    for candidate in /var/run/docker.sock /run/podman/podman.sock "${XDG_RUNTIME_DIR:-/nonexistent}"/{docker.sock,podman/podman.sock}; do
      [ -S "$candidate" ] || continue
      if engine_answers "$candidate"; then
        socket=$candidate
        break
      fi
      if [ -w "$candidate" ]; then say "no engine answers on $candidate"; else say "you may not use $candidate (its group: $(stat -c %G "$candidate"))"; fi
    done
  fi
  if [ -z "$socket" ]; then
    [ "$(id -u)" = 0 ] || say "no container engine that you may use is running; starting one for the demo, which needs root (sudo)"
    # Sockets are in there, whose paths must be short.
    home=$(mktemp -d /tmp/sprout.XXXX)
    chmod 755 "$home"
    echo "$home" >"$work/engine-home"
    "$here/service.sh" start "$(engine_service)" "$home" >"$work/engine.env" ||
      fail "no container engine could be started; start Docker or Podman yourself, or become a member of its group, and repeat"
    socket=$(sed -n 's|^export DOCKER_HOST=unix://||p' "$work/engine.env")
    fact engine "$socket, a private one for the demo"
  else
    fact engine "$socket"
  fi
  echo "$socket" >"$work/socket"
}

# write_configuration
write_configuration() {
  cat >"$work/sprout.yaml" <<END
server:
  listen: 127.0.0.1:$port
  data_dir: data
  groups:
    $group:
      template_pattern: 'sprout-demo:(?<version>[0-9][0-9.]*)'
      endpoints:
        web: {port: 80, scheme: http}
      probes:
        - {endpoint: web, http: {path: /version}, deadline: 30s}
web_gateway:
  listen: 127.0.0.1:$web_port
END
  cat >"$work/cfme_data.yaml" <<END
management_systems:
  local:
    name: Containers on this machine
    type: container
    use_for_sprout: true
    sprout:
      socket: unix://$socket
END
}

start_sprout() {
  [ ! -f "$work/sprout.log" ] || cat "$work/sprout.log" >>"$work/sprout.earlier.log"
  launch "$work" sprout sprout --config "$work/sprout.yaml"
  until_true 30 listens_or_dead || true
  running "$work/sprout.pid" || fail "sprout did not start"
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || fail "sprout does not listen on port $port after 30 s"
  # Kept, to find what is ours on the engine even when Sprout is no more.
  until_true 5 grep -q installation_id "$work/sprout.log" || fail "sprout does not tell its installation id"
  installation=$(sed -nE 's/.*installation_id="?([0-9A-Za-z-]+).*/\1/p' "$work/sprout.log" | head -1)
  echo "$installation" >"$work/installation"
}
listens_or_dead() { (exec 3<>"/dev/tcp/127.0.0.1/$port") || ! running "$work/sprout.pid"; }

# as USER ARGUMENT...: sproutctl with that user's configuration directory
as() {
  local user=$1
  shift
  XDG_CONFIG_HOME=$work/$user sproutctl "$@"
}

newest_pool() { sproutctl pool list -o json | values id | head -1; }
warm_are_ready() { [ "$(as admin appliance list --warm -o json | values state | grep -c '^ready$')" = 2 ]; }

# What a command does with its appliance; the shell of the command puts the address in.
checkout_script() { printf '%s' 'curl --silent --fail --max-time 10 "${SPROUT_APPLIANCE_0_URL%/}/version"'; }
nothing_is_lent() { [ "$(sproutctl pool list -o json)" = "[]" ]; }

# each_answers POOL VERSION: asks all its appliances for their version
each_answers() {
  local url urls answer
  urls=$(sproutctl pool get "$1" -o json | values url | sort -u) # each stands at its endpoint and at its appliance
  [ "$(wc -w <<<"$urls")" = 2 ] || fail "pool $1 has not the addresses of two web servers, but: ${urls:-none}"
  for url in $urls; do
    show curl "${url%/}/version"
    answer=$(curl --silent --show-error --fail --max-time 10 "${url%/}/version") || fail "the appliance at $url does not answer"
    echo "$answer"
    [ "$answer" = "$2" ] || fail "the appliance at $url is of version '$answer', and $2 was asked for"
  done
}

# our_containers COUNT WHAT: asks the engine itself, without Sprout, and wants so many
our_containers() {
  local found
  show curl --unix-socket "$socket" "http://engine/containers/json?all=true&filters={\"label\":[\"io.sprout.installation-id=$installation\"]}"
  found=$(ours) || fail "the engine did not tell its containers"
  if [ "$1" = 0 ]; then
    printf '%s\n' "$found"
    [ "$found" = "[]" ] || fail "something is left on the engine"
  else
    grep -oE '"Names":\["[^"]*"\]' <<<"$found" || true
    [ "$(our_ids | wc -l)" = "$1" ] || fail "the engine has not $1 containers of ours"
  fi
  note "$2"
}

# take_over: makes the work directory this demo's, after removing what an earlier one that was killed has left
take_over() {
  if running "$work/demo.pid"; then
    die "a demo runs already, as process $(cat "$work/demo.pid")" "use that one, or stop it with Ctrl-C in its terminal"
  fi
  if [ -e "$work/demo.pid" ]; then
    say "an earlier demo was killed; removing what it left"
    sweep || die "what an earlier demo left could not be removed" "see above, then repeat"
  fi
  find "$work" -mindepth 1 -delete
  chmod 700 "$work"
  # Being in this directory is what tells this process from a later one with the same pid.
  cd "$work" || exit
  echo $$ >demo.pid
  owner=1
}

# sweep: stops and removes all that the demo in the work directory has started and made; what is not there is no trouble
sweep() {
  local id home
  halt "$work/sprout.pid"
  if [ -s "$work/engine-home" ]; then
    home=$(cat "$work/engine-home")
    "$here/service.sh" stop all "$home" || return 1
    [ ! -d "$home" ] || rmdir "$home" || return 1
    rm "$work/engine-home"
  elif [ -s "$work/installation" ]; then
    socket=$(cat "$work/socket") installation=$(cat "$work/installation")
    for id in $(our_ids); do
      engine "/containers/$id?force=true&v=true" --request DELETE --output /dev/null || return 1
    done
    [ "$(ours)" = "[]" ] || { warn "containers with the label io.sprout.installation-id=$installation are left on $socket"; return 1; }
  fi
}

# finish: the end, however it comes
finish() {
  local status=$?
  trap '' INT TERM HUP
  trap - ERR EXIT
  [ -n "${owner:-}" ] || exit "$status"
  set +e
  section "Stopping"
  if sweep; then
    rm -f "$work/demo.pid"
    say "the server is stopped, and its containers are gone$([ -s "$work/engine.env" ] && echo ', as is the private engine')"
    [ -s "$work/engine.env" ] || [ ! -s "$work/images" ] || say "the images sprout-demo:$old and sprout-demo:$new (2 MB each) stay on the engine for the next time"
  else
    warn "not everything could be removed; run the demo again, or look at what is named above"
    [ "$status" != 0 ] || status=1
  fi
  cd /
  if [ "$status" = 0 ]; then rm -rf "$work"; else say "logs are kept in $work"; fi
  exit "$status"
}

# A test to try the pytest plugin with.
write_test() {
  cat >"$work/test_demo.py" <<END
from urllib.request import ProxyHandler, build_opener

def test_it_answers(sprout_appliance):
    with build_opener(ProxyHandler({})).open(sprout_appliance.url(), timeout=10) as answer:
        assert answer.status == 200

def test_the_other_one_does(sprout_appliance):
    test_it_answers(sprout_appliance)
END
}

# pytest_command: runs it; where scripts/test-python.sh has not installed the client and pytest, it installs them first
pytest_command() {
  local home=$CARGO_TARGET_DIR/python
  if ! "$home/bin/python" -c 'import sprout_client, xdist' 2>/dev/null; then
    home=$work/venv
    printf 'python3 -m venv %s && %s/bin/pip install -q %s/clients/python pytest pytest-xdist\n  ' "$home" "$home" "$ROOT"
  fi
  printf '%s/bin/pytest -p no:cacheprovider -n 2 --use-sprout --sprout-group %s --sprout-appliances 2 %s/test_demo.py\n' "$home" "$group" "$work"
}
