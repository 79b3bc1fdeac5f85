# shellcheck shell=bash
# What every script here shares: how it speaks and fails, where things are, and how it runs as root. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }
warn() { say "warning: $*"; }
# die WHAT [WHAT TO DO]
die() {
  say "error: $1"
  [ -z "${2:-}" ] || say "  to do: $2"
  exit 1
}

# No script ends without a word: a command that failed where nobody expected it is named.
set -E
trap 'say "error: $0 ended at line $LINENO, in: $BASH_COMMAND"' ERR

have() { command -v "$1" >/dev/null 2>&1; }
# need PURPOSE COMMAND...: dies naming the install purpose that brings a missing command
need() {
  local purpose=$1 command
  shift
  for command in "$@"; do
    have "$command" || die "the command '$command' is missing" "run scripts/install.sh $purpose"
  done
}

# Daemons and disk tools live in directories that an unprivileged user's PATH often lacks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Where Rust's own installer puts the compiler; a shell that was there before does not know.
PATH=$PATH:${HOME:-/root}/.cargo/bin

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

target_dir() { printf '%s\n' "${CARGO_TARGET_DIR:-$ROOT/target}"; }
# Where install.sh puts the tools that no distribution packages (buf, cargo-nextest); callers add it to PATH.
tools_dir() { printf '%s/tools/bin\n' "$(target_dir)"; }

# apt or dnf; other distributions get a message instead of a guess.
package_manager() {
  if have apt-get; then
    echo apt
  elif have dnf; then
    echo dnf
  else
    die "this machine has neither apt nor dnf" "install by hand what scripts/install.sh lists, then go on"
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    have sudo || die "'$1' needs root and sudo is not installed" "run this as root"
    sudo "$@"
  fi
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds; false when the time is over
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.05
  done
}

# engine_answers SOCKET: does something there speak the Docker API?
engine_answers() {
  [ -S "$1" ] && curl --silent --fail --max-time 5 --output /dev/null --unix-socket "$1" http://engine/_ping
}

# engine_service: which of the private engines of service.sh this machine can run
engine_service() { if have dockerd; then echo docker; else echo podman; fi; }
