#!/usr/bin/env bash
# Runs every shell block of the documents against a running stack, whose names it finds in its
# environment: scripts/with-stack.sh scripts/doc-blocks.sh. A block under `<!-- not run: REASON -->`
# is listed with its reason and not run. Last lines: `# pass N`, `# fail N`.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT
# A refusal is a failure, which curl does not think by itself.
export CURL_HOME=$blocks
echo fail-with-body >"$blocks/.curlrc"

# One file a block: its first line says where it stands, and the reason why it is not run, if any.
awk -v out="$blocks" '
  /^<!-- not run: .* -->$/ { reason = $0; sub(/^<!-- not run: /, "", reason); sub(/ -->$/, "", reason); next }
  /^```(sh|bash|console)$/ { n++; file = sprintf("%s/%03d", out, n); print "# " FILENAME ":" FNR "|" reason > file; inside = 1; next }
  /^```$/ && inside { close(file); inside = 0; reason = ""; next }
  inside { print > file; next }
  NF { reason = "" }
' README.md ARCHITECTURE.md SECURITY.md docs/*.md web/README.md

pass=0 fail=0
for block in "$blocks"/[0-9]*; do
  head=$(head -n 1 "$block")
  place=${head#\# } place=${place%%|*} reason=${head#*|}
  if [ -n "$reason" ]; then
    printf 'not run  %s: %s\n' "$place" "$reason"
    continue
  fi
  # The documents speak of the default port and folder; this stack has its own.
  sed -e "s|127\.0\.0\.1:8080|${USER_SERVICE_URL#http://}|g" -e "s|\.dev/env|$DEV_DIR/env|g" "$block" >"$block.sh"
  if output=$(bash -euo pipefail "$block.sh" 2>&1); then
    printf 'ok       %s\n' "$place"
    pass=$((pass + 1))
  else
    printf 'FAILED   %s\n%s\n' "$place" "$output"
    fail=$((fail + 1))
  fi
done
printf '# pass %s\n# fail %s\n' "$pass" "$fail"
[ "$fail" -eq 0 ]
