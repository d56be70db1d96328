#!/usr/bin/env bash
# Serves the page at http://127.0.0.1:3000 against the development stack, which must run already.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh
[ -f .dev/env ] || {
  echo 'start the development stack first: make run' >&2
  exit 1
}
install_node
web/install.sh
. .dev/env
export NEXT_PUBLIC_SUPABASE_URL=$SUPABASE_URL
export NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY=$SUPABASE_PUBLISHABLE_KEY
export NEXT_PUBLIC_USER_SERVICE_URL=$USER_SERVICE_URL
export NEXT_TELEMETRY_DISABLED=1
exec npm run --prefix web --silent dev
