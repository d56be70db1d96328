#!/usr/bin/env bash
# Installs the packages of the web part, where they are not those of the lock file.
set -euo pipefail
cd "$(dirname "$0")"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
