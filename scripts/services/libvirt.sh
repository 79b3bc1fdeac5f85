# shellcheck shell=bash
# A private libvirt for real virtual machines, beside one that the system may run. libvirtd's directories are fixed when it is
# compiled, so it gets its own in a mount namespace; its networks live in a network namespace, where alone its machines can be
# reached: `nsenter --net=/run/netns/$SPROUT_TEST_NETNS COMMAND`.

service_start() {
  local home=$1 netns uri reaper=()
  need libvirt libvirtd virtlogd virsh dnsmasq ip nsenter unshare qemu-img
  netns=sprout-$(short_id "$home")
  # Sockets and images are reached by path from everywhere; a unix socket's path has room for 107 characters.
  [ "${#home}" -le 80 ] || die "the path $home is too long for the sockets of libvirt" "choose a directory with a shorter path"
  mkdir -p "$home"/{etc,run,lib,log,pool}
  chmod 755 "$home"/{etc,run,lib,log,pool}
  install -m 000 /dev/null "$home/no-kvm"
  check_reachable "$home/pool"
  write_configuration "$home"
  ip netns add "$netns"
  nsenter --net="/run/netns/$netns" ip link set lo up
  private_directories "$home"
  # /run/libvirtd.pid and its like belong to the libvirt that the system runs.
  launch "$home" virtlogd "${PRIVATE[@]}" virtlogd --pid-file "$home/run/virtlogd.pid"
  # Machines that end become children of tini, which buries them at once: destroying one takes 0.25 s instead of 1.5 s.
  ! have tini || reaper=(tini -s --)
  launch "$home" libvirt "${reaper[@]}" nsenter --net="/run/netns/$netns" "${PRIVATE[@]}" libvirtd --pid-file "$home/run/libvirtd.pid"
  uri="qemu+unix:///system?socket=$home/run/libvirt-sock"
  # The first answer waits for libvirt to try out every emulator.
  until_true 120 answers_or_dead "$home" || true
  service_alive "$home" || give_up "$home" libvirt "the private libvirt does not answer"
  {
    timeout 30 virsh --connect "$uri" net-define "$home/network.xml" &&
      timeout 30 virsh --connect "$uri" net-start sprout &&
      timeout 30 virsh --connect "$uri" pool-define-as sprout dir --target "$home/pool" &&
      timeout 30 virsh --connect "$uri" pool-start sprout
  } >>"$home/setup.log" 2>&1 || give_up "$home" setup "the private libvirt refused its network or pool"
  echo "export SPROUT_TEST_LIBVIRT='$uri'"
  echo "export SPROUT_TEST_NETNS=$netns"
  echo "export SPROUT_TEST_LIBVIRT_POOL=sprout"
  echo "export SPROUT_TEST_LIBVIRT_NETWORK=sprout"
}

# private_directories HOME: the words to put before a daemon for which libvirt's directories are to be those of HOME, in PRIVATE
private_directories() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  PRIVATE=(unshare --mount --propagation slave bash -c '
    set -e
    home=$1
    shift
    mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt
    mount --bind "$home/etc" /etc/libvirt
    mount --bind "$home/run" /run/libvirt
    mount --bind "$home/lib" /var/lib/libvirt
    mount --bind "$home/log" /var/log/libvirt
    # A /dev/kvm without a processor for it makes libvirt examine the emulator anew at each call, and machines hang.
    if [ -e /dev/kvm ] && ! grep -qwE "vmx|svm" /proc/cpuinfo; then mount --bind "$home/no-kvm" /dev/kvm; fi
    exec "$@"' private "$1")
}

write_configuration() {
  local home=$1
  cat >"$home/etc/libvirtd.conf" <<END
unix_sock_group = "$(caller_group)"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
END
  # Without a running system manager there is nobody to ask for control groups, and no security module to confine machines;
  # and libvirt's own mount namespace per machine has no way to carry the /dev/kvm that is hidden above.
  cat >"$home/etc/qemu.conf" <<END
security_driver = "none"
cgroup_controllers = []
namespaces = []
END
  echo 'log_outputs = "2:stderr"' >"$home/etc/virtlogd.conf"
  # No spanning tree and no ping before a lease: a machine gets its address seconds earlier.
  cat >"$home/network.xml" <<END
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>sprout</name>
  <bridge name='sprout0' stp='off' delay='0'/>
  <ip address='192.168.90.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.90.10' end='192.168.90.250'/></dhcp>
  </ip>
  <dnsmasq:options><dnsmasq:option value='no-ping'/></dnsmasq:options>
</network>
END
}

# check_reachable POOL: machines run as a user of their own, who must be able to walk to their disks
check_reachable() {
  local user
  for user in libvirt-qemu qemu; do
    id -u "$user" >/dev/null 2>&1 || continue
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups test -x "$1" ||
      die "the user $user, as whom machines run, cannot reach $1" "choose a directory that everyone may enter (chmod o+x its parents)"
  done
}

answers_or_dead() { service_alive "$1" || ! running "$1/libvirt.pid"; }

service_alive() {
  running "$1/libvirt.pid" &&
    timeout 60 virsh --connect "qemu+unix:///system?socket=$1/run/libvirt-sock" version >/dev/null 2>&1
}

service_stop() {
  local home=$1 netns machine uri="qemu+unix:///system?socket=$1/run/libvirt-sock"
  if service_alive "$home"; then
    for machine in $(timeout 30 virsh --connect "$uri" list --uuid); do
      timeout 30 virsh --connect "$uri" destroy "$machine" >/dev/null || warn "machine $machine did not let itself be destroyed"
    done
    timeout 30 virsh --connect "$uri" net-destroy sprout >/dev/null || true
  fi
  netns=sprout-$(short_id "$home")
  halt "$home/libvirt.pid"
  halt "$home/virtlogd.pid"
  # Whatever outlived its libvirtd is still in the network namespace, where nothing but ours ever was.
  if [ -e "/run/netns/$netns" ]; then
    ip netns pids "$netns" | while read -r pid; do kill -s KILL "$pid" || true; done
    ip netns delete "$netns"
  fi
}
