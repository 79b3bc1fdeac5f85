# shellcheck shell=bash
# A private Podman that serves the Docker API, with images, containers and networks of its own. Its published ports are
# packet filter rules of the host; stopping removes the containers through the API first, which takes the rules along.

service_start() {
  local home=$1 runtime=()
  need container podman curl
  mkdir -p "$home/networks"
  # crun refuses a machine that mounts both versions of control groups.
  if [ -d /sys/fs/cgroup/unified ] && have runc; then runtime=(--runtime runc); fi
  launch "$home" podman podman --root "$home/data" --runroot "$home/run" --tmpdir "$home/tmp" --network-config-dir "$home/networks" \
    --network-backend netavark --cgroup-manager cgroupfs --events-backend file "${runtime[@]}" \
    system service --time=0 "unix://$home/docker.sock"
  until_true 60 answers_or_dead "$home" || true
  service_alive "$home" || give_up "$home" podman "the private Podman does not answer"
  chgrp "$(caller_group)" "$home/docker.sock"
  chmod 660 "$home/docker.sock"
  echo "export SPROUT_TEST_DOCKER=unix://$home/docker.sock"
  echo "export DOCKER_HOST=unix://$home/docker.sock"
}

answers_or_dead() { engine_answers "$1/docker.sock" || ! running "$1/podman.pid"; }

service_alive() { running "$1/podman.pid" && engine_answers "$1/docker.sock"; }

service_stop() {
  local home=$1 container mount
  if service_alive "$home"; then
    for container in $(curl -sf --max-time 10 --unix-socket "$home/docker.sock" 'http://engine/containers/json?all=true' |
      grep -oE '"Id":"[0-9a-f]{64}"' | cut -d'"' -f4 || true); do
      curl -sf --max-time 30 --output /dev/null --unix-socket "$home/docker.sock" \
        -X DELETE "http://engine/containers/$container?force=true&v=true" || warn "container $container could not be removed"
    done
  fi
  halt "$home/podman.pid"
  awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount"
  done
}
