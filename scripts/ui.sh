#!/usr/bin/env bash
# Builds the browser UI into web-gateway/ui/dist, if it is not there or older than what it is made of. scripts/install.sh ui installs what this needs.
# Debug builds of the gateway read it from there; release builds embed it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$(tools_dir):$PATH
need ui node npm

cd "$ROOT/web-gateway/ui"
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "ui: fetching what it is built with"
  npm ci --no-audit --no-fund --loglevel=error >&2
fi
newer() {
  find . ../../proto -type d \( -name node_modules -o -name dist -o -name gen -o -name test-results \) -prune -o \
    -type f -newer dist/index.html -print -quit
}
if [ -e dist/index.html ] && [ -z "$(newer)" ]; then exit 0; fi
say "ui: building"
npm run --silent build >&2
