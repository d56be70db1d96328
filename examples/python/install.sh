#!/usr/bin/env bash
# Installs what the Python client needs into .dev/python, and generates its code from proto/, beside
# it. Google's declarations, which ours import, come as Python with googleapis-common-protos.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/tools.sh
python_install python examples/python/requirements.txt

out=$PWD/examples/python python=$PWD/.dev/python/bin/python
cd proto
find . -name '*.proto' -not -path './google/*' -exec "$python" -m grpc_tools.protoc \
  --proto_path=. --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" {} +
