"""What ``report`` prints is what the real OpenReports CRDs accept, on a real API server."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.contract.cli.conftest import Installed

MODULE = "github.com/openreports/reports-api@v0.2.1"
SUM = "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680="
"""Of the module's content, as the Go checksum database has it."""


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The published CRDs, from the Go module that the API is released as."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", MODULE],
        cwd=tmp_path_factory.mktemp("module"),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    module = json.loads(done.stdout)
    assert module["Sum"] == SUM
    return sorted((Path(module["Dir"]) / "config" / "crd").glob("*.yaml"))


@pytest.mark.requirement("policy reports in the OpenReports format")
def test_reports_are_accepted(installed: Installed, definitions: list[Path]) -> None:
    """Every object is applied with strict validation and comes back as it was printed."""
    assert len(definitions) == 2
    for path in definitions:
        installed.plane.kubectl("create", "-f", str(path))
    names = [yaml.safe_load(path.read_text("utf-8"))["metadata"]["name"] for path in definitions]
    established = ("wait", "--for=condition=Established", "--timeout=30s")
    installed.plane.kubectl(*established, *(f"crd/{name}" for name in names))
    done = installed.quorate("report")
    assert done.code == 0, done
    printed = yaml.safe_load(done.out)["items"]
    assert {item["kind"] for item in printed} == {"ClusterReport", "Report"}
    assert any(item["results"] for item in printed if item["kind"] == "Report")
    apply = ("apply", "--server-side", "--validate=strict", "-f", "-")
    installed.plane.kubectl(*apply, stdin=done.out)
    for item in printed:
        where = item["metadata"].get("namespace")
        kind = f"{item['kind'].lower()}s.openreports.io"
        place = ("-n", where) if where else ()
        stored = json.loads(
            installed.plane.kubectl("get", kind, item["metadata"]["name"], *place, "-o", "json")
        )
        for field in ("source", "summary", "results", "scope"):
            assert stored.get(field) == item.get(field), field
