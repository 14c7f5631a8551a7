"""Renders the user-data of one role as the Terraform modules do."""

import base64
import json
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What each role holds; the modules say where.
SECRETS = {
    "coordinator": ["cluster-secret"],
    "storage": ["join-token"],
    "gateway": ["encryption-key", "join-token", "root-secret-key"],
}


def render(**variables):
    """The module's user_data for these variables; what its conditions refuse is an error."""
    with tempfile.NamedTemporaryFile("w", suffix=".tfvars.json") as file:
        json.dump(variables, file)
        file.flush()
        done = subprocess.run(
            ["terraform", f"-chdir={HERE}", "console", f"-var-file={file.name}"],
            input="base64encode(local.user_data)\n",
            capture_output=True,
            text=True,
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        )
    if done.returncode != 0:
        raise RuntimeError(f"terraform console: {done.stderr}")
    return base64.b64decode(json.loads(done.stdout.strip().splitlines()[-1])).decode()
