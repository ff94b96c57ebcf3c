"""The demo's models: trained, spoilt, evaluated, signed, gated and packed into images."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.demo.cluster import ROOT

TRAINING_PYTHON = ROOT / ".venv-training" / "bin" / "python"
EXAMPLE = ROOT / "examples" / "01-first-light"
WORK = ROOT / "build" / "demo"


@dataclass(frozen=True)
class Keys:
    """Prefixes of the key files: PREFIX.key and PREFIX.pub."""

    owner: Path
    evaluator: Path


def run(*command: str | Path, check: bool = True, quiet: bool = False) -> int:
    """Run a command in the checkout, its output shown unless ``quiet``."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ,
        capture_output=quiet,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        sys.exit((done.stdout or "") + (done.stderr or "") if quiet else done.returncode)
    return done.returncode


def train() -> tuple[Path, Path]:
    """Train the model and spoil a copy, unless the training room has not changed since.

    Returns the folders of the good and the spoilt model.
    """
    good, spoilt, stamp = WORK / "model", WORK / "spoilt", WORK / "model.stamp"
    digest = _sources_digest()
    if stamp.exists() and stamp.read_text("utf-8") == digest:
        print("  the trained model is up to date")
        return good, spoilt
    run("make", "venv-training")
    for folder in (good, spoilt):
        shutil.rmtree(folder, ignore_errors=True)
    room = (TRAINING_PYTHON, "-m", "quorate_training.demo")
    run(*room, "train", "--out", good)
    run(*room, "spoil", "--in", good, "--out", spoilt)
    stamp.write_text(digest, encoding="utf-8")
    return good, spoilt


def _sources_digest() -> str:
    total = hashlib.sha256()
    for path in sorted((ROOT / "training").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    total.update((ROOT / "locks" / "training.txt").read_bytes())
    return total.hexdigest()


def evaluate(model: Path, report: Path) -> bool:
    """Run the evaluation for real; True if the model passed."""
    script = EXAMPLE / "evaluation" / "evaluate.py"
    code = run(sys.executable, script, "--model", model, "--out", report, check=False)
    if code not in (0, 1):
        sys.exit(f"the evaluation itself failed with {code}")
    return code == 0


def quorate(*arguments: str | Path, check: bool = True) -> int:
    """Run the command line of this checkout."""
    return run(sys.executable, "-m", "quorate_cli", *arguments, check=check)


def make_keys() -> Keys:
    """Keys of the model owner and of the evaluator, made once."""
    keys = Keys(WORK / "keys" / "model-owner", WORK / "keys" / "evaluator")
    (WORK / "keys").mkdir(parents=True, exist_ok=True)
    for prefix in (keys.owner, keys.evaluator):
        if not prefix.with_suffix(".key").exists():
            quorate("keygen", "--out", prefix)
    return keys


def vouch(model: Path, keys: Keys, *, report: Path, bundle: Path, gate: Path) -> None:
    """Sign the model and its gate result."""
    for output in (bundle, gate):
        output.unlink(missing_ok=True)
    quorate("sign", model, "--key", keys.owner.with_suffix(".key"), "--out", bundle)
    quorate(
        *("gate", "--report", report, "--bundle", bundle),
        *("--key", keys.evaluator.with_suffix(".key"), "--out", gate),
    )


def suite_digest(report: Path) -> str:
    """``sha256:…`` of the suite a report is about."""
    document = json.loads(report.read_text("utf-8"))
    return f"sha256:{document['suite']['digest']['sha256']}"


def pack(model: Path, name: str) -> str:
    """Pack a model into an image and load it; returns its reference by digest."""
    command = (sys.executable, "-m", "tools.images")
    run(*command, "model", model, name, quiet=True)
    run(*command, "load", name, quiet=True)
    recorded = json.loads((ROOT / "build" / "images.json").read_text("utf-8"))
    return str(recorded[name]["reference"])
