"""exception new, approve, show: the file that people pass around until enough have signed it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.keys import load_signer
from quorate.policy.compiled import compile_policy
from quorate.policy.exceptions import lift
from quorate_cli import exception_file
from tests.fakes.exceptions import approvers
from tests.fakes.vouching import policy
from tests.unit.cli.conftest import Quorate

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def other_key(quorate: Quorate, tmp_path: Path) -> Path:
    """Another approver's key."""
    assert quorate("keygen", "--out", tmp_path / "deputy").code == 0
    return tmp_path / "deputy.key"


@pytest.fixture
def file(quorate: Quorate, tmp_path: Path) -> Path:
    """An exception that nobody has approved."""
    path = tmp_path / "exception.yaml"
    ran = quorate(*terms(path))
    assert ran.code == 0, ran.err
    assert "nobody yet" in ran.out
    return path


def terms(path: Path, **changes: str) -> list[object]:
    """What is typed to write one."""
    said = {
        "name": "late",
        "cluster": "cluster-1",
        "policy": "floor",
        "requirement": "Gate/red-team",
        "namespace": "team-a",
        "model-name": "demo",
        "manifest-digest": DIGEST,
        "reason": "the lab is moving",
    } | changes
    flags = [part for name, value in said.items() for part in (f"--{name}", value)]
    return ["exception", "new", *flags, "--out", path]


@pytest.mark.requirement("kubectl quorate exception new, approve, show")
def test_two_approvers_make_an_exception(
    quorate: Quorate, file: Path, key: Path, other_key: Path
) -> None:
    """What the file holds then is what a member and a webhook verify."""
    first = quorate("exception", "approve", file, "--key", key, "--hours", "48")
    assert first.code == 0, first.err
    second = quorate("exception", "approve", file, "--key", other_key, "--output", "json")
    assert second.code == 0, second.err
    assert len(second.document["signers"]) == 2
    keys = [load_signer(path.read_bytes(), None) for path in (key, other_key)]
    spec = {"exceptions": approvers(*keys, threshold=2)}
    compiled = compile_policy(read(ClusterSafetyPolicy, policy(spec)))
    lifted = lift(exception_file.load(file), compiled, "cluster-1", datetime.now(UTC))
    assert lifted.requirement == "Gate/red-team"
    assert (lifted.not_after - lifted.decided_at).total_seconds() == 48 * 3600
    shown = quorate("exception", "show", file)
    for part in ("Gate/red-team", "team-a/demo", DIGEST, *lifted.approvers):
        assert part in shown.out


def test_what_is_refused(quorate: Quorate, file: Path, key: Path, other_key: Path) -> None:
    """One key twice, another end by the second, too long, and terms changed under a signature."""
    approve = ("exception", "approve", file, "--key")
    assert "--hours" in quorate(*approve, key, "--hours", "169").err
    assert quorate(*approve, key).code == 0
    assert "already" in quorate(*approve, key).err
    assert "--hours" in quorate(*approve, other_key, "--hours", "1").err
    file.write_text(file.read_text().replace("Gate/red-team", "Gate/bias"))
    ran = quorate(*approve, other_key)
    assert ran.code != 0
    assert "other terms" in ran.err


@pytest.mark.parametrize(
    ("flag", "value"),
    [("requirement", "Everything"), ("reason", "two\nlines"), ("policy", "Not A Name")],
)
def test_terms_that_cannot_be_meant(
    quorate: Quorate, tmp_path: Path, flag: str, value: str
) -> None:
    """The flag is named, and no file is written."""
    path = tmp_path / "exception.yaml"
    ran = quorate(*terms(path, **{flag: value}))
    assert ran.code != 0
    assert f"--{flag}" in ran.err
    assert not path.exists()
