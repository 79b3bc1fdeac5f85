#!/usr/bin/env bash
# Starts and stops private services for tests and the demo, each in its own directory, beside whatever the system runs.
# `start` prints how to reach the service as lines of `export NAME=value`; repeated, it prints the same ones.
# `stop` ends exactly what was started there and removes DIR/NAME. `revive` starts a database or Redis that died there again, with what it has.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/lib-service.sh
. "$here/lib-service.sh"

usage="usage: scripts/service.sh start|stop postgres|redis|docker|podman|libvirt DIR, revive postgres|redis DIR, or stop all DIR"
[ $# = 3 ] || die "three arguments are needed, $# given" "$usage"
action=$1 name=$2

# What sets up networks and namespaces is root's; the others run as whoever starts them.
case $name in
  docker | podman | libvirt)
    if [ "$(id -u)" != 0 ]; then
      have sudo || die "a private $name needs root, and sudo is not installed" "run this as root"
      exec sudo "$0" "$@"
    fi
    ;;
esac

# load NAME: brings service_start HOME, service_alive HOME, service_stop HOME and, of those that can be revived, service_launch HOME
load() {
  [ -f "$here/services/$1.sh" ] || die "there is no service '$1'" "$usage"
  # shellcheck source=/dev/null
  . "$here/services/$1.sh"
}

start() {
  local home=$1
  if [ -f "$home/exports" ]; then
    if service_alive "$home"; then
      cat "$home/exports"
      return
    fi
    say "$name: was started in $home and is not alive; starting it anew"
  fi
  # What a start that was killed half-way has left must not be in the way of this one.
  stop "$home"
  mkdir -p "$home"
  # Daemons that run as users of their own must be able to reach what is theirs.
  chmod 755 "$home"
  # What is printed may hold a password.
  install -m 600 /dev/null "$home/exports.new"
  service_start "$home" >"$home/exports.new"
  mv "$home/exports.new" "$home/exports"
  cat "$home/exports"
}

stop() {
  local home=$1
  service_stop "$home"
  rm -rf --one-file-system "$home"
}

case $action in
  start)
    load "$name"
    mkdir -p "$3"
    start "$(cd "$3" && pwd -P)/$name"
    ;;
  stop)
    if [ "$name" = all ]; then
      for one in libvirt docker podman redis postgres; do
        [ ! -e "$3/$one" ] || "$0" stop "$one" "$3"
      done
    elif [ -d "$3" ]; then
      load "$name"
      stop "$(cd "$3" && pwd -P)/$name"
    fi
    ;;
  revive)
    load "$name"
    declare -F service_launch >/dev/null || die "$name cannot be revived" "$usage"
    [ -f "$3/$name/exports" ] || die "no $name was started in $3" "start it first"
    service_launch "$(cd "$3" && pwd -P)/$name"
    ;;
  *) die "there is no action '$action'" "$usage" ;;
esac
