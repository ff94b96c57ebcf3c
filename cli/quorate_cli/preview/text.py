"""A preview as lines for people: what is refused first, with what each owner must do."""

from collections.abc import Iterator

from quorate import names
from quorate.admission.preview import Fate
from quorate.admission.suspension import Suspension, in_words
from quorate.verdict import Reason
from quorate_cli.explain.explanation import PolicyLine, Refusal
from quorate_cli.layout import NOTICE, UNKNOWN, mark, table, wrapped
from quorate_cli.preview.outcome import MEANINGS, ModelRow, NamespaceRow, PodsRow, Preview

_STEP = "  "
_SHOWN_MAX = 100
"""Workloads and models shown; the JSON form holds all."""


def render(preview: Preview, width: int) -> list[str]:
    """Title, namespaces, what is refused, what merely goes or is made anew, verdict."""
    lines = [*_title(preview, width), ""]
    refused = [row for row in preview.pods if row.denied]
    reported = [row for row in preview.pods if row.refusals and not row.denied]
    moved = [row for row in preview.pods if not row.refusals and row.fate != Fate.GOES_ON]
    shown: set[Refusal] = set()
    for title, block in (
        ("POLICY", _policy(preview.policy, width) if preview.policy else iter(())),
        ("NAMESPACES", _namespaces(preview, width)),
        ("REFUSED", _workloads(refused, shown, width)),
        ("REPORTED, AND REFUSED IF ENFORCED", _workloads(reported, shown, width)),
        ("DELETED, BECAUSE NOTHING ENFORCED WHEN THEY WERE MADE", _workloads(moved, shown, width)),
        ("MODELS", _models(preview.models, shown, width)),
        ("NOT KNOWN", _gaps(preview, width)),
        ("WHAT TO DO, BY OWNER", _owners(preview, width)),
        ("VERDICT", _verdict(preview, width)),
    ):
        body = list(block)
        if body:
            lines += [title, *body, ""]
    return lines[:-1]


def _title(preview: Preview, width: int) -> Iterator[str]:
    about = ""
    if preview.policy is not None:
        about = " (in force)" if preview.applied else " (not applied: judged as if it were)"
    yield from wrapped(f"{preview.subject}{about}", width, rest=_STEP)


def _policy(line: PolicyLine, width: int) -> Iterator[str]:
    asks = ", ".join(line.asks) or "nothing of a model's evidence"
    yield from wrapped(f"asks for {asks}", width, first=_STEP)
    yield f"{_STEP}digest {line.digest}"
    if line.owner:
        yield from wrapped(f"safety owner {line.owner}", width, first=_STEP)


def _namespaces(preview: Preview, width: int) -> list[str]:
    if not preview.namespaces:
        label = f"{names.MODE_LABEL}=audit"
        return wrapped(f"none has opted in: kubectl label namespace NAME {label}", width,
                       first=_STEP)  # fmt: skip
    header = ("NAMESPACE", "MODE", "PODS", "REFUSED", "NEW", "BY FATE")
    rows = [_namespace(row) for row in preview.namespaces]
    lines = table(rows, width, header=header, indent=_STEP)
    for row in preview.namespaces:
        if row.suspension is not None:
            lines += suspended(row.suspension, width, indent=_STEP)
    return lines


def suspended(suspension: Suspension, width: int, indent: str = "") -> list[str]:
    """That somebody broke the glass, as lines."""
    return wrapped(
        f"{NOTICE} break-glass: {in_words(suspension)}; pods made meanwhile are escapes afterwards",
        width,
        first=indent,
        rest=indent + _STEP,
    )


def _namespace(row: NamespaceRow) -> tuple[str, ...]:
    today, then = row.mode_today or "none", row.mode or "none"
    fates = ", ".join(f"{count} {fate}" for fate, count in sorted(row.fates.items()))
    return (
        row.name,
        then if today == then else f"{today} → {then}",
        str(row.pods),
        str(row.denied) if row.judged else UNKNOWN,
        str(row.newly) if row.judged else UNKNOWN,
        fates or ("no pods" if row.judged else "not known"),
    )


def _workloads(rows: list[PodsRow], shown: set[Refusal], width: int) -> Iterator[str]:
    for row in rows[:_SHOWN_MAX]:
        count = "1 pod" if row.pods == 1 else f"{row.pods} pods"
        new = ", newly" if row.newly else ""
        model = f", model {row.model}" if row.model else ""
        sign = mark(not row.refusals)
        title = f"{sign} {row.namespace} {row.workload} ({count}{model}): {row.fate}{new}"
        yield from wrapped(title, width, first=_STEP, rest=_STEP * 3)
        yield from wrapped(f"each {MEANINGS[row.fate]}", width, first=_STEP * 2)
        if row.owner:
            yield from wrapped(f"model owner {row.owner}", width, first=_STEP * 2)
        yield from _refusals(row.refusals, shown, width)
    if len(rows) > _SHOWN_MAX:
        yield f"{_STEP}{NOTICE} and {len(rows) - _SHOWN_MAX} more: --output json lists all"


def _refusals(refusals: tuple[Refusal, ...], shown: set[Refusal], width: int) -> Iterator[str]:
    indent = _STEP * 3
    for refusal in refusals:
        if refusal in shown:
            yield f"{indent}{refusal.reason}: as above"
            continue
        shown.add(refusal)
        text = f"{refusal.reason}: {refusal.message}"
        yield from wrapped(text, width, first=indent, rest=indent + _STEP)
        if refusal.policy:
            yield from wrapped(f"asked by {refusal.policy}", width, first=indent + _STEP)
        yield from wrapped(f"fix: {refusal.remedy.text}", width, first=indent + _STEP)
        # Commands stay on one line, however long: they are there to be copied.
        yield from (f"{indent}{_STEP}$ {command}" for command in refusal.remedy.commands)


def _models(models: tuple[ModelRow, ...], shown: set[Refusal], width: int) -> Iterator[str]:
    lacking = [model for model in models if not model.allowed]
    held = len(models) - len(lacking)
    if models:
        yield f"{_STEP}{mark(not lacking)} {held} of {len(models)} hold what is asked"
    for model in lacking[:_SHOWN_MAX]:
        owner = f", owner {model.owner}" if model.owner else ", no owner named"
        title = f"{mark(False)} {model.namespace}/{model.name}{owner}"
        yield from wrapped(title, width, first=_STEP, rest=_STEP * 3)
        yield from _refusals(model.refusals, shown, width)
    if len(lacking) > _SHOWN_MAX:
        yield f"{_STEP}{NOTICE} and {len(lacking) - _SHOWN_MAX} more: --output json lists all"


_EVIDENCE = {
    *(Reason.MODEL_NOT_FOUND, Reason.NOT_SIGNED, Reason.SIGNER_NOT_TRUSTED),
    *(Reason.SIGNATURE_INVALID, Reason.MANIFEST_MISMATCH, Reason.MALFORMED),
    *(reason for reason in Reason if reason.name.startswith(("GATE_", "EVIDENCE_"))),
} - {Reason.GATE_HELD}
"""What the model's owner must mend; the rest is the workload's or the platform's."""
_PLATFORM = {
    *(Reason.NO_POLICY, Reason.NO_PLATFORM_FLOOR, Reason.TOO_MANY_POLICIES),
    *(Reason.INVALID_POLICY, Reason.POLICY_CONFLICT, Reason.SOURCE_NOT_ALLOWED),
}


def _owners(preview: Preview, width: int) -> Iterator[str]:
    """Each party once, with the reasons it has to look at."""
    tasks: dict[str, dict[str, None]] = {}
    found: list[PodsRow | ModelRow] = [*preview.pods, *preview.models]
    for gone in preview.pods:
        if gone.fate == Fate.DELETED:
            who = f"whoever made {gone.namespace}/{gone.workload}"
            tasks[who] = {"create it anew, no controller does": None}
    for row in found:
        for refusal in row.refusals:
            what = row.workload if isinstance(row, PodsRow) else f"model/{row.name}"
            who = f"whoever deploys {row.namespace}/{what}"
            if refusal.reason in _EVIDENCE or refusal.requirement == "Certified":
                who = row.owner or f"the owner of model {row.namespace}/{_model(row)}"
            elif refusal.reason in _PLATFORM:
                who = "the platform team"
            tasks.setdefault(who, {})[refusal.reason] = None
    for who, reasons in list(tasks.items())[:_SHOWN_MAX]:
        yield from wrapped(f"{who}: {', '.join(reasons)}", width, first=_STEP, rest=_STEP * 2)


def _model(row: PodsRow | ModelRow) -> str:
    return (row.model if isinstance(row, PodsRow) else row.name) or "(none named)"


def _gaps(preview: Preview, width: int) -> Iterator[str]:
    for gap in preview.gaps:
        yield from wrapped(f"{UNKNOWN} {gap.message}", width, first=_STEP, rest=_STEP * 2)
        if gap.fix:
            yield from wrapped(gap.fix, width, first=_STEP * 2)


def _verdict(preview: Preview, width: int) -> Iterator[str]:
    lacking = sum(not model.allowed for model in preview.models)
    total = sum(row.pods for row in preview.namespaces)
    reported = sum(row.pods for row in preview.pods if row.refusals and not row.denied)
    if preview.denied:
        text = f"{preview.denied} of {total} pods refused, {preview.newly_denied} of them newly"
    else:
        text = f"none of {total} pods refused"
    if preview.lost:
        text += f"; {preview.lost} deleted, and made again by nothing"
    if reported:
        text += f"; {reported} reported, and refused if their namespace enforced"
    if lacking:
        text += f"; {lacking} of {len(preview.models)} models lack something"
    bad = preview.denied or preview.lost
    sign = mark(False if bad else None if preview.gaps else True)
    yield from wrapped(f"{sign} {text}", width, first=_STEP, rest=_STEP * 2)
