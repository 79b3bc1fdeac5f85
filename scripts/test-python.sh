#!/usr/bin/env bash
# The Python client: builds its sdist and its wheel, lints and type-checks the source, and tests what the wheel installs, against a fake server
# and against sprout and sprout-sim as cargo has built them. What it needs comes from PyPI into target/python; repeated, it is there already.
# Arguments are pytest's. With LINT=1 it stops before the tests.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

scripts/install.sh python
home=$(mkdir -p "$(target_dir)/python" && cd "$(target_dir)/python" && pwd -P)
CARGO_TARGET_DIR=$(dirname "$home")
export CARGO_TARGET_DIR
python=$home/bin/python
cd clients/python

# Made anew when the Python or what is wanted of PyPI has changed, and when a run was killed in the midst of making it.
wanted=$(python3 -c 'import sys; print(sys.version, sys.prefix)' | cat - requirements.txt)
if [ ! -x "$python" ] || [ "$wanted" != "$(cat "$home/made-of" 2>/dev/null)" ]; then
  say "python: installing what clients/python/requirements.txt lists from PyPI into $home"
  rm -rf --one-file-system "$home"
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt >&2 ||
    die "what clients/python/requirements.txt lists could not be installed" "see what pip said above, and repeat"
  printf '%s\n' "$wanted" >"$home/made-of"
fi

say "python: lint"
"$home/bin/ruff" format --quiet --check .
"$home/bin/ruff" check --quiet .
"$python" hatch_build.py
"$home/bin/mypy" --no-error-summary --cache-dir "$home/mypy"
[ "${LINT:-0}" = 0 ] || exit 0

say "python: building the package"
rm -rf --one-file-system "$home/dist"
# The wheel is made from the sdist, so both are tried.
"$python" -m build --no-isolation --outdir "$home/dist" . >"$home/build.log" 2>&1 ||
  { cat "$home/build.log" >&2 && die "the package could not be built" "see what is said above"; }
"$home/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$home"/dist/*.whl >&2
"$home/bin/pip" check --disable-pip-version-check >&2

say "python: testing"
# What runs in the background of a script, or under nohup, ignores signals that tests send as people would.
env --default-signal=INT,HUP "$python" -m pytest -p no:cacheprovider --tb=short "$@"
