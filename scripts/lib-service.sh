# shellcheck shell=bash
# What the private services in services/ share: starting a daemon that outlives the script, stopping exactly that one. Sourced.

# launch HOME NAME COMMAND...: runs a daemon with HOME as its directory, its output in HOME/NAME.log, its pid in HOME/NAME.pid
launch() {
  local home=$1 name=$2
  shift 2
  # In its directory from its first moment on, which is how `running` knows it.
  local back=$PWD
  cd "$home"
  setsid "$@" </dev/null >"$home/$name.log" 2>&1 &
  echo $! >"$home/$name.pid"
  cd "$back"
}

# running PIDFILE: is that process alive and still ours? Its directory tells it from a later one with the same pid.
running() {
  local pid
  [ -s "$1" ] || return 1
  pid=$(head -1 "$1")
  [[ "$(readlink "/proc/$pid/cwd" || true)" == "$(dirname "$1")"* ]]
}
stopped() { ! running "$1"; }

# halt PIDFILE [SIGNAL]: asks the process to end, insists after 20 s
halt() {
  running "$1" || return 0
  local pid
  pid=$(head -1 "$1")
  kill -s "${2:-TERM}" "$pid" || true
  until_true 20 stopped "$1" || {
    warn "process $pid ($1) does not end by itself: killing it"
    kill -s KILL "$pid" || true
    until_true 5 stopped "$1" || die "process $pid ($1) cannot be killed" "look at it with ps, then stop again"
  }
}

# give_up HOME NAME WHAT: the end of a start that failed, with what the daemon said
give_up() {
  say "--- the last lines of $1/$2.log"
  tail -20 "$1/$2.log" >&2 || true
  die "$3" "see the log above; 'scripts/service.sh stop $(basename "$1") $(dirname "$1")' cleans up"
}

# service_user USER...: the first of these users that exists; daemons that refuse root, or need not be root, run as that one
service_user() {
  local user
  [ "$(id -u)" = 0 ] || { id -un; return; }
  for user in "$@" nobody; do
    ! id -u "$user" >/dev/null 2>&1 || { echo "$user"; return; }
  done
}
# as_user USER: the words to put before a command that is to run as that user, in AS_USER
as_user() {
  AS_USER=()
  # shellcheck disable=SC2034 # read by the services
  [ "$1" = "$(id -un)" ] || AS_USER=(setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups --reset-env)
}

# free_port: a port of 127.0.0.1 on which nobody listens, below the range from which the system hands out its own
free_port() {
  local port tries
  for ((tries = 0; tries < 50; tries++)); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port was found on 127.0.0.1" "look at what listens there (ss -ltn)"
}

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# short_id HOME: eight characters that are the same for the same directory, for names that the whole machine shares
short_id() { printf '%s' "$1" | sha256sum | cut -c1-8; }

# caller_group: whose group may use the sockets of a service that root runs
caller_group() { id -gn "${SUDO_USER:-$(id -un)}"; }
