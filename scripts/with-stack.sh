#!/usr/bin/env bash
# Runs a command beside a development stack of its own, on free ports and with its data in a
# temporary folder: another stack may run, and nothing is left of this one. The command finds TOKEN,
# USER_SERVICE_URL, SUPABASE_URL and the other names of .dev/env in its environment.
#
#   scripts/with-stack.sh COMMAND...
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh
install_node
export_free_ports DEV_HTTP_PORT DEV_AUTH_PORT DEV_DB_PORT
cargo build --quiet

DEV_DIR=$(mktemp -d)
export DEV_DIR
trap 'target/debug/dev clean; rm -rf "$DEV_DIR"' EXIT
target/debug/dev run >"$DEV_DIR/out.txt" 2>"$DEV_DIR/log.txt" &
stack=$!
until grep -qs '^ready: ' "$DEV_DIR/out.txt"; do
  kill -0 "$stack" 2>/dev/null || {
    cat "$DEV_DIR/log.txt" >&2
    exit 1
  }
  sleep 0.1
done
set -a
. "$DEV_DIR/env"
set +a
"$@"
