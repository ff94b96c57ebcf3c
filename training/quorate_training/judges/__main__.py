"""Command line: ``python -m quorate_training.judges make|baseline|incidents|release|sign``.

Nothing of this runs by itself: a person makes a release, looks at the report, and pins or signs it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from quorate.consensus import request as requests
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.keys import load_signer
from quorate_features import linear
from quorate_training.judges import baseline, classifier, incidents
from quorate_training.judges.listing import LIST, write_list

ARTEFACTS: Final = (
    Path(__file__).resolve().parents[3]
    / "consensus" / "quorate_consensus" / "judges" / "artefacts"
)  # fmt: skip
SEED: Final = 5
RELEASE_TYPE: Final = "application/vnd.quorate.judges.v1alpha1+json"
"""As the judges read it; a test compares the two."""


def make(directory: Path, seed: int = SEED) -> None:
    """Write what is made by script: the classifier, the baseline and the incidents."""
    (directory / "classifier.npz").write_bytes(linear.save(classifier.train(seed)))
    _write(directory / "anomaly.json", baseline.made_by_script(seed))
    _write(directory / "history.json", incidents.listed(incidents.incident_texts(seed)))


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")


def _make(options: argparse.Namespace) -> str:
    make(options.dir, options.seed)
    return write_list(options.dir)


def _baseline(options: argparse.Namespace) -> str:
    lines = options.requests.read_bytes().splitlines()
    _write(options.dir / "anomaly.json", baseline.recorded(map(requests.parse, lines)))
    return write_list(options.dir)


def _incidents(options: argparse.Namespace) -> str:
    texts = [json.loads(line) for line in options.texts.read_text("utf-8").splitlines()]
    _write(options.dir / "history.json", incidents.listed(texts))
    return write_list(options.dir)


def _release(options: argparse.Namespace) -> str:
    return write_list(options.dir)


def _sign(options: argparse.Namespace) -> str:
    signers = [load_signer(path.read_bytes()) for path in options.key]
    envelope = dsse.sign((options.dir / LIST).read_bytes(), RELEASE_TYPE, signers)
    options.out.write_bytes(envelope)
    return str(options.out)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 2 if its input cannot be used."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], str] = options.run
    try:
        print(run(options))
    except (QuorateError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quorate_training.judges", description="Makes what judges go by."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("make", _make, "train and write all that is made by script, and the list"),
        ("baseline", _baseline, "the anomaly judge's baseline of recorded requests, one a line"),
        ("incidents", _incidents, "the history judge's list of texts, one JSON string a line"),
        ("release", _release, "write the list of a directory's artefacts; prints its digest"),
        ("sign", _sign, "sign the list with administrators' keys"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        command.add_argument("--dir", type=Path, default=ARTEFACTS, metavar="DIR")
        if name == "make":
            command.add_argument("--seed", type=int, default=SEED)
        if name == "baseline":
            command.add_argument("--requests", type=Path, required=True, metavar="FILE")
        if name == "incidents":
            command.add_argument("--texts", type=Path, required=True, metavar="FILE")
        if name == "sign":
            command.add_argument("--key", type=Path, action="append", required=True)
            command.add_argument("--out", type=Path, required=True, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
