#!/bin/sh
# Runs the real supabase-js against the Auth stand-in. Needs Node 22 or newer with npm on PATH.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --bin dev
DEV_PROGRAM="${CARGO_TARGET_DIR:-$PWD/target}/debug/dev"
export DEV_PROGRAM
cd dev/tests/supabase-js
npm ci --silent --no-audit --no-fund
exec node --test
