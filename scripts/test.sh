#!/usr/bin/env bash
# Runs everything that has a test. Last line: `N passed, N failed, N skipped`, over all runners.
# A skip is a failure where CI=true.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: runs it, shows it, and adds its counts. A command that fails without having
# counted a failure (a build error, say) is one failure.
step() {
  local name=$1 status before=$failed
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  # cargo: "test result: ok. 5 passed; 0 failed; 1 ignored; …"; node: "# pass 5", "# fail 0", …
  eval "$(awk '
    { gsub(/\033\[[0-9;]*m/, "") }
    /^test result:/ { for (i = 1; i < NF; i++) {
      if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i; if ($(i+1) ~ /^ignored/) s += $i } }
    /^(#|ℹ) pass / { p += $3 } /^(#|ℹ) fail / { f += $3 } /^(#|ℹ) (skipped|todo|cancelled) / { s += $3 }
    END { printf "passed=$((passed+%d)) failed=$((failed+%d)) skipped=$((skipped+%d))", p, f, s }
  ' "$log")"
  if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then
    printf '%s failed (exit %s)\n' "$name" "$status"
    failed=$((failed + 1))
  fi
}

scripts/setup.sh || exit 1
install_grpcurl || exit 1
install_connectconformance || exit 1
install_node || exit 1
install_buf || exit 1
install_pgbouncer || exit 1
examples/python/install.sh || exit 1
install_foreign_issuers || exit 1

step 'Rust: unit, integration and documentation tests' cargo test --workspace --no-fail-fast
step 'supabase-js against the Auth stand-in' dev/tests/supabase-js.sh
step 'The TypeScript client and the Next.js page, in a real browser' web/test.sh
step 'OpenAPI: validator and schemathesis' scripts/test-openapi.sh
step 'Fuzz targets, each from its corpus' scripts/fuzz.sh
step 'The release binary, as the image builds it' scripts/test-release.sh
step 'The shell blocks of the documents' scripts/with-stack.sh scripts/doc-blocks.sh

printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && { [ "${CI:-}" != true ] || [ "$skipped" -eq 0 ]; }
