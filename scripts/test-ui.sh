#!/usr/bin/env bash
# The browser UI: builds it, checks its types, tests its rules, and then every page in a real browser, against a gateway, a server and simulated providers
# as cargo has built them. Pictures of all pages are in web-gateway/ui/test-results/pages afterwards. Arguments are Playwright's.
# The last line counts: "ui: 40 passed, 0 failed".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

scripts/install.sh ui browser
PATH=$(tools_dir):$PATH
scripts/ui.sh
CARGO_TARGET_DIR=$(mkdir -p "$(target_dir)" && cd "$(target_dir)" && pwd -P)
export CARGO_TARGET_DIR
SPROUT_TEST_CHROMIUM=$(command -v chromium || command -v chromium-browser) || die "there is no chromium" "run scripts/install.sh browser"
export SPROUT_TEST_CHROMIUM
# What the user has set for a Sprout of their own, or a proxy on the way, is not for these.
for name in $(compgen -A export | grep '^SPROUT_' | grep -vE '^SPROUT_(TEST|UI)_' || true); do unset "$name"; done
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1

cd web-gateway/ui
rm -rf test-results
say "ui: types"
npm run --silent lint >&2
say "ui: rules"
failed=0
npm test --silent -- --color=false || failed=1
say "ui: in the browser"
npx --no-install playwright test "$@" || failed=1

# What the two reports count; one that is not there is one failure.
node -e '
  const read = (file) => { try { return JSON.parse(require("fs").readFileSync(`test-results/${file}`, "utf8")); } catch { return undefined; } };
  const [units, pages] = [read("units.json"), read("report.json")];
  const passed = (units?.numPassedTests ?? 0) + (pages ? pages.stats.expected : 0);
  const failed = (units?.numFailedTests ?? 1) + (pages?.stats.unexpected ?? 1);
  console.log(`ui: ${passed} passed, ${failed} failed`);
'
exit "$failed"
