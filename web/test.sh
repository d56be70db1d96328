#!/usr/bin/env bash
# Tests the web part: the client package, then the page in a real browser against the real service,
# a real PostgreSQL and the stand-in for Supabase Auth. Installs what is missing, picks free ports,
# leaves nothing running. Each runner ends with its counts: `# pass N`, `# fail N`, `# skipped N`.
# With arguments, only the browser tests run, and the arguments are Node's:
# web/test.sh --test-name-pattern offline
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

# Debian's Chromium. Its headless shell, where there is one, draws the same for half the work.
find_chromium() {
  command -v chromium-headless-shell || command -v chromium || command -v google-chrome
}

install_chromium() {
  export CHROMIUM=${CHROMIUM:-$(find_chromium || true)}
  [ -n "$CHROMIUM" ] && return
  apt_install chromium-headless-shell || apt_install chromium || {
    echo 'set CHROMIUM to a Chromium or Chrome, then try again' >&2
    return 1
  }
  CHROMIUM=$(find_chromium)
}

install_node
install_grpcurl
install_chromium
web/install.sh
export_free_ports DEV_HTTP_PORT DEV_AUTH_PORT DEV_DB_PORT SERVICE_PORT WEB_PORT
export NEXT_TELEMETRY_DISABLED=1
export NEXT_PUBLIC_SUPABASE_URL="http://127.0.0.1:$DEV_AUTH_PORT"
export NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY=sb_publishable_dev
export NEXT_PUBLIC_USER_SERVICE_URL="http://127.0.0.1:$SERVICE_PORT"

cargo build --quiet
npm run --prefix web --silent build
npm run --prefix web --silent check

status=0
[ $# -gt 0 ] || npm test --prefix web --silent || status=$?
(cd web && node --test --test-reporter=spec "$@" e2e/suite.ts) || status=$?
exit "$status"
