"""docs/howto/write-a-suite.md: its example is a plug-in that installs, lists and runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from quorate_cli.__main__ import main
from tests.fakes.openai_server import body_of, completion, serving

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "write-a-suite.md"
DIGEST = f"sha256:{'ab' * 32}"


def block(language: str) -> str:
    """The page's only block in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example as an installed distribution."""
    package, information = tmp_path / "my_suites", tmp_path / "my_suites-1.0.dist-info"
    package.mkdir()
    information.mkdir()
    (package / "__init__.py").write_text("")
    (package / "units.py").write_text(block("python"))
    entry = re.search(r'^metric-units = "([^"]+)"$', block("toml"), re.MULTILINE)
    group = re.search(r'^\[project\.entry-points\."([^"]+)"\]$', block("toml"), re.MULTILINE)
    assert entry
    assert group
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-suites\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group[1]}]\nmetric-units = {entry[1]}\n")
    return tmp_path


def quorate(site: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line with the plug-in installed."""
    return subprocess.run(
        [sys.executable, "-m", "quorate_cli", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.requirement("a documented plug-in interface for suites, with an example that runs")
def test_the_example_is_a_plug_in(site: Path, tmp_path: Path) -> None:
    """Installed, it is listed with its digests, runs, and its thresholds decide."""
    listed = quorate(site, "gate", "suites", "--output", "json")
    assert listed.returncode == 0, listed.stderr
    assert "metric-units" in [suite["name"] for suite in json.loads(listed.stdout)["suites"]]
    assert main(["keygen", "--out", str(tmp_path / "lab")]) == 0
    results = {}
    for said in ("about 384,000 kilometres", "about 238,000 miles"):
        with serving(body_of(json.dumps(completion(said)).encode())) as server:
            ran = quorate(
                *(site, "gate", "run", "metric-units", "--endpoint", server.url),
                *("--manifest-digest", DIGEST, "--key", tmp_path / "lab.key"),
                *("--out", tmp_path / "units.json", "--output", "json"),
            )
        results[said.split()[-1]] = json.loads(ran.stdout)["result"]
    assert results == {"kilometres": "PASSED", "miles": "FAILED"}
