"""Validates OpenAPI documents, and runs schemathesis against the service of the environment.

Arguments are files to validate beside the service's own document.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from openapi_spec_validator import OpenAPIV31SpecValidator

SERVICE = os.environ["USER_SERVICE_URL"]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def validate(name: str, text: bytes) -> bool:
    problems = list(OpenAPIV31SpecValidator(json.loads(text)).iter_errors())
    for problem in problems:
        print(f"{name}: {problem.message} at {list(problem.absolute_path)}")
    print(f"{name}: {'not valid' if problems else 'valid OpenAPI 3.1'}")
    return not problems


def conforms() -> bool:
    """Whether every answer is as the document says, to what fits it and to what does not."""
    command = [
        SCHEMATHESIS, "run", f"{SERVICE}/openapi.json",
        "--header", f"Authorization: Bearer {os.environ['TOKEN']}",
        "--checks", "all", "--max-examples", "200", "--generation-deterministic", "--no-color",
    ]
    with TemporaryDirectory() as folder:  # it leaves files where it runs
        return subprocess.run(command, check=False, cwd=folder).returncode == 0


documents = {path: Path(path).read_bytes() for path in sys.argv[1:]}
with urlopen(f"{SERVICE}/openapi.json") as answer:
    documents["/openapi.json"] = answer.read()
results = [validate(*document) for document in documents.items()] + [conforms()]
print(f"# pass {results.count(True)}\n# fail {results.count(False)}")
sys.exit(0 if all(results) else 1)
