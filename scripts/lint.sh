#!/usr/bin/env bash
# Formatting, clippy with warnings denied, the protos, the scripts; cargo-deny where it is installed (its advisories need a network), and
# ruff where scripts/test-python.sh has put it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
PATH=$(tools_dir):$PATH

say "lint: formatting"
cargo fmt --all --check
say "lint: protos"
buf lint
say "lint: scripts"
# What is sourced is read with what sources it.
find scripts .ci docs -type f -perm -u+x -print0 | xargs -0 shellcheck --external-sources --severity=warning
python=$(target_dir)/python/bin
if [ -x "$python/ruff" ]; then
  say "lint: Python"
  "$python/ruff" check --quiet clients/python
  "$python/ruff" format --quiet --check clients/python
fi
say "lint: clippy"
cargo clippy --locked --workspace --all-targets --quiet -- --deny warnings
if have cargo-deny; then
  say "lint: dependencies"
  cargo deny --offline check bans licenses sources
fi
