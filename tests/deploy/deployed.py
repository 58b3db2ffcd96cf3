"""What deploy/ makes, as the tests use it."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def make_secrets(folder: Path, **environment: str) -> Path:
    """Run deploy/secrets.sh on a folder, and return it."""
    done = subprocess.run(
        ["sh", str(DEPLOY / "secrets.sh"), str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
    return folder


def password(secrets: Path, user: str) -> str:
    """Tell the password of a user of the log's server; the probe's may be any."""
    return "any" if user == "probe" else (secrets / "valkey" / user).read_text().strip()
