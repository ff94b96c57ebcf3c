"""A benchmark's figures: a table for people, JSON for programs (``build/bench/ROOM.json``)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

OUTPUT = Path(__file__).resolve().parents[2] / "build" / "bench"
_HEAD = ("figure", "value", "unit", "target", "floor", "to it", "peer", "to it", "")


@dataclass(frozen=True)
class Figure:
    """One number: what it should be, the least possible, and what a peer needs, in one run.

    ``target`` is ``"<=N"`` or ``">=N"``; ``floor`` and ``peer`` have the same unit as ``value``.
    """

    name: str
    value: float
    unit: str
    target: str | None = None
    floor: float | None = None
    peer: float | None = None

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISSED``; empty without a target."""
        if self.target is None:
            return ""
        bound = float(self.target[2:])
        met = self.value <= bound if self.target.startswith("<=") else self.value >= bound
        return "ok" if met else "MISSED"

    @property
    def to_floor(self) -> float | None:
        """The value as a multiple of the floor."""
        return self.value / self.floor if self.floor else None

    @property
    def to_peer(self) -> float | None:
        """The value as a multiple of the peer's."""
        return self.value / self.peer if self.peer else None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        beside: list[str] = []
        for other, ratio in ((self.floor, self.to_floor), (self.peer, self.to_peer)):
            beside.append("" if other is None else f"{other:.3g}")
            beside.append("" if ratio is None else f"x{ratio:.2g}")
        head = (self.name, f"{self.value:.4g}", self.unit, self.target or "")
        return (*head, *beside, self.verdict)


def publish(room: str, figures: list[Figure]) -> None:
    """Print the table and write the JSON form."""
    rows = [_HEAD, *(figure.cells for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    listed = [asdict(figure) | _computed(figure) for figure in figures]
    (OUTPUT / f"{room}.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def _computed(figure: Figure) -> dict[str, float | str | None]:
    ratios = {"to_floor": figure.to_floor, "to_peer": figure.to_peer}
    rounded = {name: ratio and round(ratio, 3) for name, ratio in ratios.items()}
    return {"value": round(figure.value, 3), **rounded, "verdict": figure.verdict}
