"""A model, keys and a way to run the command line in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quorate_cli.__main__ import main
from tests.unit.cli.fake_cluster import FakeCluster


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Quorate = Callable[..., Ran]


@pytest.fixture
def quorate(capsys: pytest.CaptureFixture[str]) -> Quorate:
    """Run the command line in this process; arguments may be paths."""

    def run(*arguments: object) -> Ran:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model."""
    root = tmp_path / "demo"
    (root / "weights").mkdir(parents=True)
    (root / "config.json").write_text('{"layers": 2}')
    (root / "weights" / "model.safetensors").write_bytes(bytes(range(256)) * 16)
    return root


@pytest.fixture
def key(quorate: Quorate, tmp_path: Path) -> Path:
    """A private key; its public key is beside it as ``.pub``."""
    assert quorate("keygen", "--out", tmp_path / "owner").code == 0
    return tmp_path / "owner.key"


@pytest.fixture
def bundle(quorate: Quorate, model: Path, key: Path, tmp_path: Path) -> Path:
    """A signature over the model by the key."""
    out = tmp_path / "demo.bundle.json"
    ran = quorate("sign", model, "--key", key, "--out", out)
    assert ran.code == 0, ran.err
    return out


@pytest.fixture
def cluster() -> FakeCluster:
    """A tenant in good order with one gated pod."""
    made = FakeCluster()
    made.reader.put(made.pod())
    return made
