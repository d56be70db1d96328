#!/bin/sh
# Builds the release binary into a folder: scripts/build-release.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
out=${1:?"say into which folder: scripts/build-release.sh FOLDER"}
# The development stack is another package: -p keeps it and what it needs out.
cargo build --release --locked -p user-service --bin user-service
mkdir -p "$out"
cp "${CARGO_TARGET_DIR:-target}/release/user-service" "$out/"
