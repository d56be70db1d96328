#!/usr/bin/env bash
# Prints every measured figure beside its limit: `name ratio limit pass|FAIL`. Ratios are taken side
# by side in one run, so that they hold on any machine. Fails where one is beyond its limit.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

install_pgbouncer || exit 1
python_install pyjwt tests/foreign/requirements.txt || exit 1
cargo bench --workspace --benches --no-run || exit 1
figures=$(mktemp)
errors=$(mktemp)
trap 'rm -f "$figures" "$errors"' EXIT
cargo bench --quiet --workspace --benches --no-fail-fast 2>"$errors" |
  grep --line-buffered -E ' (pass|FAIL)$' | tee "$figures"
measured=${PIPESTATUS[0]}
# A bench that crashed has not measured what it did not print.
grep -q panicked "$errors" && cat "$errors" >&2
[ "$measured" -eq 0 ] && [ -s "$figures" ] && ! grep -q ' FAIL$' "$figures"
