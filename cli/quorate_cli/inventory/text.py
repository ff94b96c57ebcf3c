"""An inventory as a table for people, and as CSV."""

import csv
import io
from collections.abc import Iterator

from quorate_cli.inventory.outcome import Inventory, Server
from quorate_cli.layout import NOTICE, UNKNOWN, mark, table, wrapped
from quorate_cli.preview.text import suspended

_HEADER = ("RISK", "NAMESPACE", "MODE", "WORKLOAD", "PODS", "SERVER", "MODEL", "TODAY",
           "IF ENFORCED")  # fmt: skip
_STEP = "  "
COLUMNS = (
    "risk", "namespace", "mode", "workload", "pods", "server", "confidence", "why", "image",
    "model", "serves", "digest", "owner", "verdict", "enforce", "reasons",
)  # fmt: skip
"""Of the CSV form, in this order."""


def render(inventory: Inventory, width: int) -> list[str]:
    """A line a workload, the riskiest first; then broken glass, what could not be read, the sum."""
    lines = table([_row(s) for s in inventory.servers], width, header=_HEADER)
    if lines:
        lines.append("")
    broken = [line for one in inventory.suspended for line in suspended(one, width)]
    return [*lines, *broken, *_gaps(inventory, width), *_sum(inventory, width)]


def _row(server: Server) -> tuple[str, ...]:
    reason = server.reasons[0].partition(":")[0] if server.reasons else ""
    return (
        server.risk,
        server.namespace,
        server.mode or "none",
        server.workload,
        str(server.pods),
        f"{server.server or UNKNOWN} ({server.confidence})",
        server.model or server.serves or "-",
        server.verdict,
        f"{server.enforce or 'not known'}{f': {reason}' if reason else ''}",
    )


def _gaps(inventory: Inventory, width: int) -> Iterator[str]:
    for gap in inventory.gaps:
        yield from wrapped(f"{UNKNOWN} {gap.message}", width, rest=_STEP)
        if gap.fix:
            yield from wrapped(gap.fix, width, first=_STEP)


def _sum(inventory: Inventory, width: int) -> Iterator[str]:
    found = sum(server.pods for server in inventory.servers)
    risks = ", ".join(f"{count} {risk}" for risk, count in inventory.by_risk.items() if count)
    text = (
        f"{found} of {inventory.pods_read} pods in {inventory.namespaces} namespaces serve a model "
        f"or seem to{f': {risks}' if risks else ''}"
    )
    outside = sum(s.pods for s in inventory.servers if not s.mode)
    yield from wrapped(f"{mark(not outside)} {text}", width, rest=_STEP)
    if outside:
        again = "see one of them: kubectl quorate preview namespace/NAME --mode enforce"
        note = f"{NOTICE} {outside} in namespaces that have not opted in; {again}"
        yield from wrapped(note, width, rest=_STEP)


def as_csv(inventory: Inventory) -> str:
    """A line a workload. What a spreadsheet would take for a formula is made text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for server in inventory.servers:
        writer.writerow([_cell(getattr(server, column)) for column in COLUMNS])
    return out.getvalue().rstrip("\n")


def _cell(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
