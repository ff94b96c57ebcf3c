"""Command line: ``python -m quorate_training.judges release``."""

import argparse
import sys
from pathlib import Path

from quorate_training.judges.listing import write_list

ARTEFACTS = (
    Path(__file__).resolve().parents[3]
    / "consensus" / "quorate_consensus" / "judges" / "artefacts"
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m quorate_training.judges", description="Makes what judges go by."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("release", help="write the list of a directory's artefacts")
    listing.add_argument("--dir", type=Path, default=ARTEFACTS, metavar="DIR")
    options = parser.parse_args(arguments)
    print(f"{write_list(options.dir)}  {options.dir.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
