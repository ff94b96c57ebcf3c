"""Write ``locks/*.txt``: one resolution of everything, then each room's part of it, hashed.

The files carry no index address, so any mirror will do. Run by ``make locks``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("operator", "webhook", "sidecar", "consensus", "cli", "training", "client")
UV = "uv==0.13.8"
"""The installer itself, locked like everything else: set-up begins with it."""
DEV = ("operator", "webhook", "sidecar", "consensus", "cli", "dev")
COMPILE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"),
)


def compile_lock(output: Path, extras: tuple[str, ...], constraints: Path | None) -> None:
    """Resolve ``extras`` of pyproject.toml into the hashed requirements file ``output``."""
    extra_args = [arg for extra in extras for arg in ("--extra", extra)]
    constraint_args = ["--constraints", str(constraints)] if constraints else []
    command = [*COMPILE, *extra_args, *constraint_args, "-o", str(output), "pyproject.toml"]
    # PIP_FIND_LINKS and friends would write local addresses into the resolution.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_FIND")}
    subprocess.run(command, cwd=ROOT, check=True, env=environment)


def main() -> int:
    """Write every lock file; print each one's name."""
    with tempfile.TemporaryDirectory() as scratch:
        everything = Path(scratch) / "all.txt"
        compile_lock(everything, (*ROOMS, "dev"), None)
        pins = Path(scratch) / "pins.txt"
        lines = everything.read_text(encoding="utf-8").splitlines()
        pins.write_text(
            "\n".join(line.rstrip(" \\") for line in lines if "==" in line) + "\n",
            encoding="utf-8",
        )
        for name, extras in (*((room, (room,)) for room in ROOMS), ("dev", DEV)):
            compile_lock(ROOT / "locks" / f"{name}.txt", extras, pins)
            print(f"locks/{name}.txt")
        bootstrap = Path(scratch) / "uv.in"
        bootstrap.write_text(f"{UV}\n", encoding="utf-8")
        subprocess.run(
            [*COMPILE, "-o", str(ROOT / "locks" / "uv.txt"), str(bootstrap)], cwd=ROOT, check=True
        )
        print("locks/uv.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
