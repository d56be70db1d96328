#!/usr/bin/env bash
# Writes the migrations for the Supabase CLI: the same files, under the names that it expects.
#
#   scripts/supabase-migrations.sh [FOLDER]     supabase/migrations unless told otherwise
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/supabase/migrations}

mkdir -p "$folder"
for migration in "$root"/migrations/*/; do
  name=$(basename "$migration") # 2025-01-01-000000-0000_users
  version=${name%%_*}
  digits=${version//-/}
  cp "${migration}up.sql" "$folder/${digits:0:14}_${name#*_}.sql"
done
