#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_SECONDS (60; 0 replays the corpus and no more) from its committed
# corpus. What it learns goes to .dev/fuzz; what crashes it to fuzz/artifacts, and fails.
# Last lines: `# pass N`, `# fail N`.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

scripts/setup.sh c++ || exit 1
install_cargo_fuzz || exit 1
# No sanitizer: theirs need a nightly compiler, and `unsafe` is forbidden here.
cargo fuzz build --sanitizer none || exit 1

seconds=${FUZZ_SECONDS:-60}
limit=-max_total_time=$seconds
[ "$seconds" -eq 0 ] && limit=-runs=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
pass=0 fail=0
for target in $(cargo fuzz list); do
  mkdir -p ".dev/fuzz/$target"
  if RUST_BACKTRACE=0 cargo fuzz run --sanitizer none "$target" ".dev/fuzz/$target" "fuzz/corpus/$target" -- \
    "$limit" -timeout=10 -print_final_stats=1 >"$log" 2>&1; then
    pass=$((pass + 1))
    printf 'ok      %-14s' "$target"
    awk '/^stat::number_of_executed_units/ { print $2 " executions" }' "$log"
  else
    fail=$((fail + 1))
    printf 'FAILED  %s\n' "$target"
    tail -n 40 "$log"
  fi
done
printf '# pass %s\n# fail %s\n' "$pass" "$fail"
[ "$fail" -eq 0 ]
