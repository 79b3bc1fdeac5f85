# shellcheck shell=bash
# A private container engine: dockerd with its own bridge, no packet filter rules and its own corner of the system's containerd,
# so that a Docker that runs already does not notice it. Ports published on 127.0.0.1 work (its proxy carries them); containers reach nothing outside.

service_start() {
  local home=$1 id subnet reaper=()
  need container dockerd curl ip
  id=$(short_id "$home")
  subnet=$(free_subnet "$id")
  # Without an address of its own a bridge takes over those of the containers that come and go, and those that knew the
  # last one are cut off for many seconds.
  ip link add "spr$id" address "02:42:${id:0:2}:${id:2:2}:${id:4:2}:${id:6:2}" type bridge
  ip address add "$subnet.1/24" dev "spr$id"
  ip link set "spr$id" up
  # In a process and mount namespace of their own, containers and their mounts cannot outlive the engine, however it ends.
  ! have tini || reaper=(tini --)
  echo "{}" >"$home/daemon.json"
  launch "$home" docker unshare --pid --fork --kill-child --mount-proc "${reaper[@]}" \
    dockerd --host "unix://$home/docker.sock" --group "$(caller_group)" \
    --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/dockerd.pid" --config-file "$home/daemon.json" \
    --containerd-namespace "sprout-$id" --containerd-plugins-namespace "sprout-$id-plugins" \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/sprout-$id" \
    --bridge "spr$id" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  until_true 60 answers_or_dead "$home" || true
  engine_answers "$home/docker.sock" || give_up "$home" docker "the private Docker does not answer"
  echo "export SPROUT_TEST_DOCKER=unix://$home/docker.sock"
  echo "export DOCKER_HOST=unix://$home/docker.sock"
}

answers_or_dead() { engine_answers "$1/docker.sock" || ! running "$1/docker.pid"; }

service_alive() { engine_answers "$1/docker.sock"; }

# Everything that ran in it ends with its first process, and what it stored goes with its directory.
service_stop() {
  local home=$1 id
  id=$(short_id "$home")
  halt "$home/docker.pid" KILL
  # A killed container cannot take its control group along.
  find /sys/fs/cgroup -depth -type d -path "*/sprout-$id*" -exec rmdir {} +
  ! ip link show "spr$id" >/dev/null 2>&1 || ip link delete "spr$id"
}

# free_subnet ID: the first three numbers of a /24 that no interface here uses; two that start at once begin their search apart
free_subnet() {
  local n third used
  used=$(ip -4 -o address)
  for ((n = 0; n < 256; n++)); do
    third=$(((0x$1 + n) % 256))
    [[ $used == *" 10.213.$third."* ]] || { echo "10.213.$third"; return; }
  done
  die "10.213.0.0/16 is all in use" "stop services that are not needed any more"
}
