#!/usr/bin/env bash
# Prints every measured figure beside its limit: `name ratio limit pass|FAIL`. Ratios are taken side
# by side in one run, so that they hold on any machine. Fails where one is beyond its limit.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh
install_pgbouncer || exit 1

cargo bench --workspace --benches --no-run || exit 1
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
cargo bench --quiet --workspace --benches 2>/dev/null | grep --line-buffered -E ' (pass|FAIL)$' | tee "$figures"
[ -s "$figures" ] && ! grep -q ' FAIL$' "$figures"
