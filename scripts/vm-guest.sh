# shellcheck shell=bash
# What is inside the virtual machine image beyond the appliance itself: the way from the kernel to its processes. Sourced.

# guest_initrd DIR MODULES: loads the drivers of a virtual machine and goes on in the root partition
guest_initrd() {
  local dir=$1 modules=$2 base kernel module file name names=()
  mkdir -p "$dir"/{bin,dev,mnt,mod,proc,sys}
  cp "$(static_busybox)" "$dir/bin/busybox"
  kernel=$(basename "$modules")
  base=${modules%/lib/modules/*}
  depmod -b "$base" "$kernel"
  for module in virtio_pci virtio_blk virtio_net virtio_console virtio_rng virtio_balloon button evdev ext4; do
    # Drivers that are part of the kernel are not listed.
    for file in $(modprobe -d "$base" -S "$kernel" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" { print $2 }'); do
      name=$(basename "$file" | sed 's/\.ko.*/.ko/')
      [ ! -e "$dir/mod/$name" ] || continue
      case $file in
        *.xz) xz -dc "$file" ;;
        *.zst) zstd -dcq "$file" ;;
        *) cat "$file" ;;
      esac >"$dir/mod/$name"
      names+=("$name")
    done
  done
  cat >"$dir/init" <<END
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in ${names[*]}; do /bin/busybox insmod /mod/\$m; done
root=/dev/vda2
for word in \$(/bin/busybox cat /proc/cmdline); do case \$word in root=*) root=\${word#root=} ;; esac; done
n=0
while [ ! -b \$root ] && [ \$n -lt 500 ]; do /bin/busybox usleep 20000; n=\$((n + 1)); done
/bin/busybox mount -t ext4 -o rw \$root /mnt || { echo "no root file system on \$root" >/dev/console; /bin/busybox poweroff -f; }
/bin/busybox mount --move /dev /mnt/dev
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /mnt /bin/init
END
  chmod 755 "$dir/init"
}

# guest_root ROOT AGENT_TREE PUBLIC_KEY: makes an appliance's tree (appliance_tree) one that boots
guest_root() {
  local root=$1 agent=$2 key=$3 library
  mkdir -p "$root"/{sbin,usr/sbin,usr/bin,var/log,var/run,root/.ssh,etc/dropbear,etc/acpi/PWRF}
  cp "$(command -v dropbear)" "$root/usr/sbin/dropbear"
  cp "$(find "$agent" -name qemu-ga -type f | head -1)" "$root/usr/sbin/qemu-ga"
  for library in $(ldd "$root/usr/sbin/dropbear" "$root/usr/sbin/qemu-ga" | grep -oE '/[^ :]+' | sort -u); do
    case $library in "$root"*) continue ;; esac
    mkdir -p "$root$(dirname "$library")"
    cp -Ln "$library" "$root$library"
  done
  ! ldd "$root/usr/sbin/qemu-ga" | grep -q 'not found' ||
    die "the guest agent needs libraries that this machine lacks" "install qemu-guest-agent's dependencies: $(ldd "$root/usr/sbin/qemu-ga" | grep 'not found')"
  cp "$key" "$root/root/.ssh/authorized_keys"
  chmod 700 "$root/root" "$root/root/.ssh"
  chmod 600 "$root/root/.ssh/authorized_keys"
  echo 'root:*:19000:0:99999:7:::' >"$root/etc/shadow"
  echo /bin/sh >"$root/etc/shells"
  echo appliance >"$root/etc/hostname"
  cat >"$root/etc/inittab" <<'END'
::sysinit:/etc/rc
::respawn:/bin/httpd -f -p 80 -h /www
::respawn:/usr/sbin/dropbear -F -R -s -p 22
::respawn:/etc/agent
::respawn:/bin/acpid -d -f
::ctrlaltdel:/bin/reboot
::shutdown:/bin/umount -a -r
END
  # The files belong to whoever built the image; SSH wants its own to be root's.
  guest_script "$root/etc/rc" <<'END'
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
chown -R 0:0 /root /etc/dropbear
mkdir -p /dev/virtio-ports
for port in /sys/class/virtio-ports/*; do
  [ ! -f $port/name ] || ln -sf ../${port##*/} /dev/virtio-ports/$(cat $port/name)
done
hostname -F /etc/hostname
ip link set lo up
ip link set eth0 up
# Never gives up: on a loaded machine an offer may take longer than patience.
udhcpc -i eth0 -q -T 1 -A 1 -s /etc/address &
END
  guest_script "$root/etc/address" <<'END'
case $1 in bound | renew) ;; *) exit 0 ;; esac
ifconfig $interface $ip netmask $subnet
[ -z "$router" ] || route add default gw $router
echo "address $ip after $(cut -d' ' -f1 /proc/uptime) s" >/dev/console
END
  guest_script "$root/etc/agent" <<'END'
port=/dev/virtio-ports/org.qemu.guest_agent.0
[ -e $port ] || exec sleep 1000000
exec /usr/sbin/qemu-ga -m virtio-serial -p $port -t /run
END
  guest_script "$root/etc/acpi/PWRF/00000080" <<<poweroff
  # What the guest agent calls.
  guest_script "$root/sbin/shutdown" <<'END'
case "$*" in *-r*) exec /bin/reboot ;; *) exec /bin/poweroff ;; esac
END
  ln -sf /bin/init "$root/sbin/init"
}

guest_script() {
  { echo '#!/bin/sh'; cat; } >"$1"
  chmod 755 "$1"
}
