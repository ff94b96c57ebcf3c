import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from quorate.errors import Unavailable
from quorate_operator import __main__ as program
from quorate_operator.check import CHECKS, Place, check, ready_endpoints
from quorate_operator.install.seats import VARIABLE
from quorate_operator.install.webhook import CONFIGURATIONS
from tests.unit.operator.fake_api import FakeApi


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The program sets the root logger up; a test run has its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run", "--fast"], ["check", "--timeout"]])
def test_wrong_call_ends_with_two(arguments: list[str]) -> None:
    """As programs do."""
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == 2


def test_missing_configuration_ends_with_two_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pod without its mounts says which one."""
    monkeypatch.setenv("QUORATE_CONFIG", str(tmp_path))
    assert program.main(["run"]) == 2
    assert "genesis.json" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["install", "check"])
def test_no_api_server_ends_with_one_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A Job that fails says why in its last lines."""

    async def nowhere() -> None:
        raise Unavailable("no way to reach an API server")

    member = {"name": "member-0", "judges": "all", "failureDomain": "member-0"}
    monkeypatch.setenv(VARIABLE, json.dumps({"preset": "dev", "members": [member]}))
    monkeypatch.setattr(program, "configuration", nowhere)
    assert program.main([command, "--timeout", "0"]) == 1
    assert "no way to reach" in capsys.readouterr().err


@pytest.mark.requirement("check: exits 1 with reasons")
async def test_check_of_nothing_names_everything() -> None:
    """Each check that does not hold has its sentence and its reason."""
    failed = await check(FakeApi(), Place("quorate-system", {}), 0.0)
    assert len(failed) == len(CHECKS)
    for reason, one in zip(failed, CHECKS, strict=True):
        assert reason.startswith(f"{one.__doc__} No: ")


@pytest.mark.parametrize("bundle", ["", "%%%", base64.b64encode(b"no certificate").decode()])
async def test_authority_that_is_none_is_a_reason(bundle: str) -> None:
    """Whatever is in caBundle, the check ends in a sentence."""
    api = FakeApi()
    for plural in CONFIGURATIONS:
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}/quorate"
        api.put(path, {"webhooks": [{"name": "a", "clientConfig": {"caBundle": bundle}}]})
    failed = await check(api, Place("quorate-system", {}), 0.0)
    assert any("webhook" in reason.lower() for reason in failed)


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [([], 0), ([{}], 0), ([{"ready": False}], 0), ([{"ready": True}, {"ready": None}], 1)],
)
def test_only_ready_endpoints_count(conditions: list[dict[str, object]], ready: int) -> None:
    """An endpoint that does not say that it is ready is not."""
    endpoints = [{"conditions": condition} for condition in conditions]
    assert ready_endpoints({"items": [{"endpoints": endpoints}, {"endpoints": None}]}) == ready
