#!/usr/bin/env bash
# Builds the release binary by the image's own step, and looks at it: it runs, and is as small as it
# should be. Last lines: `# pass N`, `# fail N`.
set -uo pipefail
cd "$(dirname "$0")/.."
most=$((20 * 1000 * 1000)) # bytes

pass=0 fail=0
check() {
  if "${@:2}"; then pass=$((pass + 1)); else printf 'FAILED: %s\n' "$1"; fail=$((fail + 1)); fi
}
check 'it builds without the development stack' scripts/build-release.sh target/image
check 'it runs' target/image/user-service --version
size=$(wc -c <target/image/user-service)
check "it has less than $most bytes, not $size" [ "$size" -lt "$most" ]
printf '# pass %s\n# fail %s\n' "$pass" "$fail"
[ "$fail" -eq 0 ]
