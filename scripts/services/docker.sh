# shellcheck shell=bash
# A private container engine: dockerd with its own bridge and no packet filter rules, so that a Docker that runs already
# does not notice it. Ports published on 127.0.0.1 work (its proxy carries them); containers reach nothing outside.

service_start() {
  local home=$1 id subnet
  need container dockerd curl ip
  id=$(short_id "$home")
  subnet=$(free_subnet)
  echo "spr$id" >"$home/bridge"
  as_root ip link add "spr$id" type bridge
  as_root ip address add "$subnet.1/24" dev "spr$id"
  as_root ip link set "spr$id" up
  # The namespaces keep it apart from the containers of another Docker where both use the system's containerd.
  echo "{}" >"$home/daemon.json"
  launch "$home" docker "${SUDO[@]}" dockerd --host "unix://$home/docker.sock" --group "$(id -gn)" \
    --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/dockerd.pid" --config-file "$home/daemon.json" \
    --containerd-namespace "sprout-$id" --containerd-plugins-namespace "sprout-$id-plugins" \
    --bridge "spr$id" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  until_true 60 answers_or_dead "$home" || true
  engine_answers "$home/docker.sock" || give_up "$home" docker "the private Docker does not answer"
  echo "export SPROUT_TEST_DOCKER=unix://$home/docker.sock"
  echo "export DOCKER_HOST=unix://$home/docker.sock"
}

answers_or_dead() { engine_answers "$1/docker.sock" || ! running "$1/docker.pid"; }

service_alive() { engine_answers "$1/docker.sock"; }

service_stop() {
  local home=$1 mount
  # Containers end at once this way; dockerd alone would wait up to ten seconds for each.
  if engine_answers "$home/docker.sock"; then
    for container in $(curl -sf --max-time 10 --unix-socket "$home/docker.sock" 'http://engine/containers/json?all=true' |
      grep -oE '"Id":"[0-9a-f]{64}"' | cut -d'"' -f4); do
      curl -sf --max-time 30 --output /dev/null --unix-socket "$home/docker.sock" \
        -X DELETE "http://engine/containers/$container?force=true&v=true" || warn "container $container could not be removed"
    done
  fi
  halt "$home/docker.pid"
  awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    as_root umount "$mount"
  done
  if [ -s "$home/bridge" ] && ip link show "$(cat "$home/bridge")" >/dev/null 2>&1; then
    as_root ip link delete "$(cat "$home/bridge")"
  fi
}

# free_subnet: the first three numbers of a /24 that no interface here uses
free_subnet() {
  local n used
  used=$(ip -4 -o address)
  for ((n = 0; n < 256; n++)); do
    [[ $used == *" 10.213.$n."* ]] || { echo "10.213.$n"; return; }
  done
  die "10.213.0.0/16 is all in use" "stop services that are not needed any more"
}
