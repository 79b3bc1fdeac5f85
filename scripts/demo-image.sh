#!/usr/bin/env bash
# Makes the demo appliance as a container image, sprout-demo:VERSION, from the distribution's busybox and without a registry:
# a web server that answers / with a page and /version with VERSION. Does nothing where the same image is there already.
# Talks to the engine's socket itself, so no docker client is needed. Prints the image's name as an `export` line for tests.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/lib-image.sh
. "$here/lib-image.sh"

case $# in
  1 | 2) ;;
  *) die "one or two arguments are needed, $# given" "usage: scripts/demo-image.sh VERSION [ENGINE_SOCKET]" ;;
esac
version=$1 socket=${2:-${DOCKER_HOST:-/run/docker.sock}}
socket=${socket#unix://}
check_version "$version"
need container curl tar
engine_answers "$socket" || die "no container engine answers on $socket" \
  "start one (scripts/service.sh start docker DIR) and give its socket as the second argument"

engine() { curl --silent --show-error --max-time 60 --unix-socket "$socket" "$@"; }

# What the image is made of decides whether one that exists is the same.
content=$(cat "$0" "$here/lib-image.sh" "$(static_busybox)" - <<<"$version" | sha256sum | cut -c1-16)
label=io.sprout.demo.content
image=sprout-demo:$version
if engine "http://engine/images/$image/json" | grep -q "\"$label\": *\"$content\""; then
  say "$image is there already"
  echo "export SPROUT_TEST_CONTAINER_IMAGE=$image"
  exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
appliance_tree "$root" "$version"
# The kernel shields process 1 from signals it has no handler for: without this shell, stopping would wait for the kill.
cat >"$root/init" <<'END'
#!/bin/sh
trap 'exit 0' TERM INT
httpd -f -p 80 -h /www &
wait $!
END
chmod 755 "$root/init"

answer=$(tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - . | engine --request POST --upload-file - \
  --header 'Content-Type: application/x-tar' \
  --url-query fromSrc=- --url-query "repo=$image" \
  --url-query 'changes=CMD ["/init"]' --url-query 'changes=EXPOSE 80' \
  --url-query "changes=LABEL org.opencontainers.image.version=$version" \
  --url-query "changes=LABEL org.opencontainers.image.created=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
  --url-query "changes=LABEL $label=$content" \
  http://engine/images/create) || die "the engine on $socket broke off while it took $image" "look into the engine's log"
engine "http://engine/images/$image/json" | grep -q "\"$label\": *\"$content\"" ||
  die "the engine on $socket did not take $image: $answer" "look into the engine's log"
say "$image is made"
echo "export SPROUT_TEST_CONTAINER_IMAGE=$image"
