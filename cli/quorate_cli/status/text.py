"""The screen: what needs a person first, the rest in numbers."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from quorate_cli.cluster.components import Component
from quorate_cli.cluster.model_summary import ModelSummary
from quorate_cli.cluster.modes import MODES
from quorate_cli.layout import NOTICE, UNKNOWN, clipped, mark, table, wrapped
from quorate_cli.status.overview import Overview
from quorate_cli.status.refusals import RecentRefusal

ROWS_MAX: Final = 8
"""Rows of one table: the screen stays one screen; JSON holds all."""
_STEP = "  "


def render(overview: Overview, width: int, now: datetime) -> list[str]:
    """The screen as lines of at most ``width`` columns."""
    lines: list[str] = []
    for title, block in (
        ("COMPONENTS", _components(overview, width)),
        ("NAMESPACES", _namespaces(overview, width)),
        ("POLICIES", _policies(overview, width)),
        ("MODELS", _models(overview.models, width, now)),
        ("PODS", _pods(overview, width)),
        ("REFUSED IN THE LAST HOUR", _refused(overview.refused, width)),
        ("OPEN INCIDENTS", _incidents(overview, width)),
        ("NOT KNOWN", _gaps(overview, width)),
    ):
        body = list(block)
        if body:
            lines += [title, *body]
    return lines


def _components(overview: Overview, width: int) -> Iterator[str]:
    rows = [_component(component) for component in overview.components]
    rows.append(["", "API server", "", overview.server_version])
    yield from table(rows, width, indent=_STEP)


def _component(component: Component) -> list[str]:
    if not component.present:
        return [mark(False), component.name, "0/0", "not installed"]
    fine = component.wanted > 0 and component.ready >= component.wanted
    image = component.image.rpartition("@")[2]
    about = component.message if not fine and component.message else image
    counts = f"{component.ready}/{component.wanted}"
    return [mark(fine), component.name, counts, f"{component.version} {about}".strip()]


def _namespaces(overview: Overview, width: int) -> Iterator[str]:
    for mode in MODES:
        found = overview.namespaces.get(mode, [])
        if found or mode == "enforce":
            text = f"{mode}: {_some(found) or 'none'}"
            yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)
    for name, mode in overview.namespaces_of_unknown_mode:
        text = f"{mark(False)} {name}: {mode!r} is no mode, so nothing is judged there"
        yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - ROWS_MAX} more" if len(names) > ROWS_MAX else ""
    return ", ".join(names[:ROWS_MAX]) + more


def _policies(overview: Overview, width: int) -> Iterator[str]:
    policies = overview.policies
    accepted = sum(policy.accepted == "True" for policy in policies)
    waiting = sum(policy.compiles and policy.accepted != "True" for policy in policies)
    text = f"{accepted} accepted" + (f", {waiting} not looked at yet" if waiting else "")
    yield f"{_STEP}{text}"
    broken = [policy for policy in policies if not policy.compiles]
    for policy in broken[:ROWS_MAX]:
        text = f"{mark(False)} {policy.ref} does not compile: {policy.message}"
        yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)
    yield from _more(len(broken))


def _models(models: Sequence[ModelSummary], width: int, now: datetime) -> Iterator[str]:
    ready = sum(model.ready == "True" for model in models)
    yield f"{_STEP}{ready} of {len(models)} ready"
    rows = [
        [
            mark({"True": True, "False": False}.get(model.ready)),
            model.ref,
            model.reason or "no status yet",
            _left(model.evidence_until, now),
            model.message,
        ]
        for model in models[:ROWS_MAX]
    ]
    if rows:
        header = ["", "MODEL", "REASON", "EVIDENCE", "MESSAGE"]
        yield from table(rows, width, header=header, indent=_STEP)
    yield from _more(len(models))


def _left(end: datetime | None, now: datetime) -> str:
    """How long until then, roughly."""
    if end is None:
        return "-"
    left = end - now
    if left <= timedelta(0):
        return "too old"
    if left >= timedelta(days=2):
        return f"{left.days} d"
    hours = left / timedelta(hours=1)
    return f"{hours:.0f} h" if hours >= 2 else f"{left / timedelta(minutes=1):.0f} min"


def _pods(overview: Overview, width: int) -> Iterator[str]:
    pods = overview.pods
    if pods is None:
        yield f"{_STEP}{UNKNOWN} not known"
        return
    parts = [f"{pods.running} serving", f"{pods.gated} gated", f"{pods.starting} starting"]
    parts.append(f"{pods.exempt} without a model")
    yield from wrapped(", ".join(parts), width, first=_STEP)
    if pods.unprotected:
        text = f"{NOTICE} {pods.unprotected} model pods run without protection: made before the "
        text += "namespace enforced. Restart their workloads."
        yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)


def _refused(refused: Sequence[RecentRefusal], width: int) -> Iterator[str]:
    rows = [
        [r.last_seen[11:16], f"{r.namespace} {r.subject}", r.reason, f"{r.count}x", _why(r)]
        for r in refused[:ROWS_MAX]
    ]
    if not rows:
        yield f"{_STEP}none"
        return
    yield from table(rows, width, indent=_STEP)
    yield from _more(len(refused))


def _why(refusal: RecentRefusal) -> str:
    """What comes after the reason: before it stand only the names of who refused."""
    return refusal.message.partition(f"{refusal.reason}: ")[2] or refusal.message


def _incidents(overview: Overview, width: int) -> Iterator[str]:
    rows = [
        [i.severity, f"{i.namespace}/{i.name}", i.rule, f"{i.count}x", i.summary]
        for i in overview.incidents[:ROWS_MAX]
    ]
    if not rows:
        yield f"{_STEP}none"
        return
    yield from table(rows, width, indent=_STEP)
    yield from _more(len(overview.incidents))


def _more(count: int) -> Iterator[str]:
    if count > ROWS_MAX:
        yield f"{_STEP}… and {count - ROWS_MAX} more (--output json shows all)"


def _gaps(overview: Overview, width: int) -> Iterator[str]:
    for gap in overview.gaps:
        yield f"{_STEP}{UNKNOWN} {clipped(gap, width - 4)}"
