"""The benchmark's figures: a table for people, JSON for programs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One number with what it should be, what is the least possible, and what a peer needs."""

    name: str
    value: float
    unit: str
    target: str | None = None
    floor: float | None = None
    peer: str | None = None

    @property
    def meets(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        bound = float(self.target[2:])
        return self.value <= bound if self.target.startswith("<=") else self.value >= bound


def table(figures: list[Figure]) -> str:
    """The figures in columns."""
    rows = [("figure", "value", "unit", "target", "floor", "peer", "")]
    for figure in figures:
        verdict = {True: "ok", False: "MISSED", None: ""}[figure.meets]
        floor = "" if figure.floor is None else f"{figure.floor:.3g}"
        rows.append(
            (figure.name, f"{figure.value:.3g}", figure.unit, figure.target or "", floor,
             figure.peer or "", verdict)
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
             for row in rows]  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def write(path: Path, figures: list[Figure]) -> None:
    """Write the JSON form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = [{**asdict(figure), "value": round(figure.value, 3)} for figure in figures]
    path.write_text(json.dumps(rounded, indent=2) + "\n")
