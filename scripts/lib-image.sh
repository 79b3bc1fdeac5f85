# shellcheck shell=bash
# What the container image and the virtual machine image of the demo appliance have in common: busybox and what it serves. Sourced.

# check_version VERSION: versions become file names, tags and URLs
check_version() {
  [[ $1 =~ ^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$ ]] ||
    die "'$1' is no version for an image" "use letters, digits, dots, dashes and underscores, like 1.0.0"
}

# busybox: the path of one that needs no C library, which images do not have
static_busybox() {
  need container busybox
  local path
  path=$(readlink -f "$(command -v busybox)")
  ! ldd "$path" >/dev/null 2>&1 || die "$path is not static" "install busybox-static (Debian) or busybox (Fedora)"
  echo "$path"
}

# appliance_tree ROOT VERSION: busybox with all its names in bin/, and in www/ the page and the version it serves
appliance_tree() {
  local root=$1 version=$2 busybox applet
  busybox=$(static_busybox)
  mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,www}
  cp "$busybox" "$root/bin/busybox"
  for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo "$version" >"$root/www/version"
  printf '<!doctype html><title>Demo appliance</title><h1>Demo appliance %s</h1>\n' "$version" >"$root/www/index.html"
}
