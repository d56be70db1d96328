#!/usr/bin/env bash
# Validates the OpenAPI documents, and holds the running service to its own with schemathesis, all
# checks on. Ends with `# pass N` and `# fail N`. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh
python_install openapi tests/openapi/requirements.txt
# Writes the document of a test service that uses what ours does not.
cargo test --quiet --test openapi >/dev/null
scripts/with-stack.sh .dev/openapi/bin/python tests/openapi/check.py target/tmp/library.openapi.json
