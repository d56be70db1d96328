#!/usr/bin/env bash
# Runs every shell block of README.md, ARCHITECTURE.md and SECURITY.md against the development
# stack, in one shell each, with .dev/env sourced. A block under `<!-- not run: REASON -->` is
# listed with its reason and not run. Last lines: `# pass N`, `# fail N`.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

blocks=$(mktemp -d)
stack=
finish() {
  [ -n "$stack" ] && kill "$stack" 2>/dev/null && wait "$stack" 2>/dev/null
  rm -rf "$blocks"
}
trap finish EXIT

# One file a block: its first line says where it stands, and the reason why it is not run, if any.
awk -v out="$blocks" '
  /^<!-- not run: .* -->$/ { reason = $0; sub(/^<!-- not run: /, "", reason); sub(/ -->$/, "", reason); next }
  /^```(sh|bash|console)$/ { n++; file = sprintf("%s/%03d", out, n); print "# " FILENAME ":" FNR "|" reason > file; inside = 1; next }
  /^```$/ && inside { close(file); inside = 0; reason = ""; next }
  inside { print > file; next }
  NF { reason = "" }
' README.md ARCHITECTURE.md SECURITY.md

export DEV_HTTP_PORT=${DEV_HTTP_PORT:-18080} DEV_AUTH_PORT=${DEV_AUTH_PORT:-18081} DEV_DB_PORT=${DEV_DB_PORT:-18082}
make run >"$blocks/stack.log" 2>&1 &
stack=$!
for _ in $(seq 600); do
  grep -q '^ready: ' "$blocks/stack.log" && break
  kill -0 "$stack" 2>/dev/null || break
  sleep 0.5
done
grep -q '^ready: ' "$blocks/stack.log" || {
  cat "$blocks/stack.log"
  echo '# fail 1'
  exit 1
}

pass=0 fail=0
for block in "$blocks"/[0-9]*; do
  head=$(head -n 1 "$block")
  place=${head#\# } place=${place%%|*} reason=${head#*|}
  if [ -n "$reason" ]; then
    printf 'not run  %s: %s\n' "$place" "$reason"
    continue
  fi
  # The documents speak of the default port; the stack may stand elsewhere.
  sed "s/127\.0\.0\.1:8080/127.0.0.1:$DEV_HTTP_PORT/g" "$block" >"$block.sh"
  if output=$(set -a && . .dev/env && set +a && bash -euo pipefail "$block.sh" 2>&1); then
    printf 'ok       %s\n' "$place"
    pass=$((pass + 1))
  else
    printf 'FAILED   %s\n%s\n' "$place" "$output"
    fail=$((fail + 1))
  fi
done
printf '# pass %s\n# fail %s\n' "$pass" "$fail"
[ "$fail" -eq 0 ]
