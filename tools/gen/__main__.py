"""``python -m tools.gen``: write the generated files; ``--check``: exit 1 if one would change."""

import argparse
import sys

from tools.gen.artifacts import ROOT, generate


def main() -> int:
    """Write or check every generated file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.gen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, report drift")
    check = parser.parse_args().check
    drifted = []
    for relative, text in generate().items():
        path = ROOT / relative
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        drifted.append(relative)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for relative in drifted:
        print(f"{'differs' if check else 'wrote'}: {relative}")
    if check and drifted:
        print("run `python -m tools.gen` and commit what it writes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
