#!/usr/bin/env bash
# Makes the demo appliance as a virtual machine image, without root and without mounting anything: the distribution's kernel and
# guest agent around busybox, which answers / and /version on port 80, SSH (key in OUTDIR/id_ed25519), DHCP, and the power button.
# OUTDIR gets appliance-VERSION.qcow2, which boots by itself, and for a direct start of its second partition (root=/dev/vda2)
# vmlinuz and initrd.img. Does nothing where the same image is there already. Prints the image's path as an `export` line for tests.
set -euo pipefail
# What fails in $(…) ends the script, too.
shopt -s inherit_errexit
here=$(dirname "$0")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/lib-image.sh
. "$here/lib-image.sh"

[ $# = 2 ] || die "two arguments are needed, $# given" "usage: scripts/vm-image.sh VERSION OUTDIR"
version=$1
check_version "$version"
[ "$(uname -m)" = x86_64 ] || die "the image is for x86_64 machines, this is $(uname -m)" "build it on one"
need libvirt qemu-img mke2fs sfdisk mkfs.vfat mcopy syslinux cpio depmod modprobe dropbear ssh-keygen
mkdir -p "$2"
out=$(cd "$2" && pwd)
cache=$(target_dir)/cache/vm-image
image=$out/appliance-$version.qcow2

apt_download() { # DIR PACKAGE...
  local dir=$1
  shift
  (cd "$dir" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$@" >&2)
}

# unpacked NAME PACKAGE...: the packages' contents, fetched once, in a directory of the cache (not installed)
unpacked() {
  local tree=$cache/$1 package work
  shift
  if [ ! -d "$tree" ]; then
    say "fetching $* for the image"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    case $(package_manager) in
      apt)
        apt_download "$work" "$@" || {
          say "the package lists are absent or old: apt-get update"
          as_root apt-get -q update >&2
          apt_download "$work" "$@"
        } || die "$* could not be fetched" "see what apt-get said above, then repeat"
        for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
        ;;
      dnf)
        need libvirt rpm2cpio
        dnf -q download --destdir "$work" "$@" >&2
        mkdir "$work/tree"
        for package in "$work"/*.rpm; do rpm2cpio "$package" | (cd "$work/tree" && cpio -idm --quiet); done
        ;;
    esac
    mv "$work/tree" "$tree"
    rm -rf "$work"
  fi
  echo "$tree"
}

kernel_packages() {
  case $(package_manager) in
    # The meta package depends on the newest one.
    apt) apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1 ;;
    dnf) echo kernel-core kernel-modules-core ;;
  esac
}

# What the image is made of decides whether one that exists is the same.
mkdir -p "$cache"
[ -f "$out/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C sprout-demo -f "$out/id_ed25519"
content=$(cat "$0" "$here/lib-image.sh" "$here/vm-guest.sh" "$(static_busybox)" "$out/id_ed25519.pub" - <<<"$version" | sha256sum | cut -d' ' -f1)
finish() {
  say "$image $1"
  echo "export SPROUT_TEST_VM_IMAGE=$image"
  exit 0
}
if [ -f "$image" ] && [ "$(cat "$image.content" 2>/dev/null)" = "$content" ]; then
  finish "is there already"
fi

# shellcheck disable=SC2046 # a list of words
kernel_tree=$(unpacked kernel $(kernel_packages))
agent_tree=$(unpacked agent qemu-guest-agent)
modules=$(find "$kernel_tree" -path '*/lib/modules/*' -prune -print -quit)
kernel=$(basename "$modules")

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/vm-guest.sh
. "$here/vm-guest.sh"
guest_initrd "$work/initrd" "$modules"
(cd "$work/initrd" && find . | sort | cpio -o -H newc --owner 0:0 --quiet) | gzip -6 >"$work/initrd.img"
cp "$(find "$kernel_tree" \( -name "vmlinuz-$kernel" -o -path "*/$kernel/vmlinuz" \) | head -1)" "$work/vmlinuz"
appliance_tree "$work/root" "$version"
guest_root "$work/root" "$agent_tree" "$out/id_ed25519.pub"

# A boot partition (FAT, syslinux) of 32 MiB and the root of 48 MiB, in sectors of 512 bytes; the last MiB stays free.
boot_at=2048 boot=65536 root=98304
root_at=$((boot_at + boot))
disk=$work/disk.raw
truncate -s $(((root_at + root + 2048) * 512)) "$disk"
sfdisk -q "$disk" <<END
label: dos
start=$boot_at, size=$boot, type=6, bootable
start=$root_at, size=$root, type=83
END
for mbr in /usr/lib/syslinux/mbr/mbr.bin /usr/share/syslinux/mbr.bin; do [ ! -f "$mbr" ] || break; done
[ -f "$mbr" ] || die "syslinux has no mbr.bin here" "run scripts/install.sh libvirt"
dd if="$mbr" of="$disk" conv=notrunc bs=440 count=1 status=none
mkfs.vfat -F 16 -n BOOT --offset $boot_at "$disk" $((boot / 2)) >"$work/mkfs.log" 2>&1 || die "mkfs.vfat failed: $(cat "$work/mkfs.log")"
cat >"$work/syslinux.cfg" <<'END'
DEFAULT appliance
PROMPT 0
TIMEOUT 1
LABEL appliance
 KERNEL vmlinuz
 INITRD initrd.img
 APPEND root=/dev/vda2 console=ttyS0 quiet tsc=reliable mitigations=off
END
MTOOLS_SKIP_CHECK=1 mcopy -i "$disk@@$((boot_at * 512))" "$work"/{vmlinuz,initrd.img,syslinux.cfg} ::
syslinux --install -t $((boot_at * 512)) "$disk"
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -d "$work/root" -E "root_owner=0:0,offset=$((root_at * 512))" "$disk" $((root / 2))k
qemu-img convert -q -O qcow2 "$disk" "$work/disk.qcow2"

mv "$work/vmlinuz" "$work/initrd.img" "$out/"
rm -f "$image.content"
mv "$work/disk.qcow2" "$image"
echo "$content" >"$image.content"
finish "is made"
