"""The installed command, under both names."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("script", "usage"),
    [("quorate", "usage: quorate "), ("kubectl-quorate", "usage: kubectl quorate ")],
)
def test_installed_commands_run(script: str, usage: str) -> None:
    """Both entry points start, and help shows the name the user types."""
    command = [str(Path(sys.executable).with_name(script)), "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(usage)
    assert "exit codes:" in ran.stdout
