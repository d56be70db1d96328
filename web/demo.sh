#!/usr/bin/env bash
# Serves the Next.js page at http://127.0.0.1:3000 against the development stack, which it starts
# unless it runs already. Ctrl-C stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh
install_node
web/install.sh

url="http://127.0.0.1:${DEV_HTTP_PORT:-8080}"
ready() { curl -fsS -o /dev/null "$url/readyz" 2>/dev/null; }
if ! ready; then
  cargo build --quiet
  target/debug/dev run &
  stack=$!
  trap 'kill "$stack" 2>/dev/null; wait "$stack"' EXIT
  until ready; do
    kill -0 "$stack" # it has said why it ended
    sleep 0.2
  done
fi

. "${DEV_DIR:-.dev}/env"
export NEXT_PUBLIC_SUPABASE_URL=$SUPABASE_URL
export NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY=$SUPABASE_PUBLISHABLE_KEY
export NEXT_PUBLIC_USER_SERVICE_URL=$USER_SERVICE_URL
export NEXT_TELEMETRY_DISABLED=1
npm run --prefix web --silent dev
