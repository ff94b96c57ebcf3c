"""An explanation as lines for people. Everything in it is also in the JSON form."""

from collections.abc import Iterator
from datetime import datetime

from quorate import names
from quorate_cli.explain.explanation import (
    CertificateLine,
    Decision,
    Document,
    Explanation,
    ImageLine,
    ModelLine,
    NodeSide,
    PolicyLine,
    Refusal,
    RequirementLine,
    Signer,
    SourceLine,
    Standing,
)
from quorate_cli.layout import NOTICE, UNKNOWN, mark, wrapped

_STEP = "  "
_QUESTIONS = {"create": "may be created", "run": "may run", "serve": "serves"}
_DENIALS = {
    "create": "is refused at creation",
    "run": "may not run",
    "serve": "does not serve",
}
_AS_IF = {"create": "would be refused", "run": "would not run", "serve": "does not serve"}
_SELECTS = {"yes": True, "no": False, "unknown": None}


def render(explanation: Explanation, width: int) -> list[str]:
    """The chain from the namespace to the verdict, which also stands at the top."""
    lines = [*_title(explanation, width), ""]
    for title, block in (
        ("NAMESPACE", _namespace(explanation, width)),
        ("POLICIES", _policies(explanation, width)),
        ("MODEL", _model(explanation.model, width) if explanation.model else iter(())),
        *((f"UNDER {s.policy}", _standing(s, width)) for s in explanation.standings),
        ("INJECTED", _injected(explanation, width)),
        ("ON THE NODE", _node(explanation.node_side, width)),
        ("NOT KNOWN", _gaps(explanation, width)),
        ("VERDICT", _decisions(explanation, width)),
    ):
        body = list(block)
        if body:
            lines += [title, *body, ""]
    return lines[:-1]


def _title(explanation: Explanation, width: int) -> Iterator[str]:
    subject = explanation.subject
    place = subject.name if subject.kind == "file" else f"{subject.namespace}/{subject.name}"
    known = [subject.phase, f"on {subject.node}" if subject.node else "", subject.controller]
    details = ", ".join(part for part in known if part)
    title = f"{subject.kind} {place}" + (f" ({details})" if details else "")
    yield from wrapped(title, width, rest=_STEP)
    for decision in explanation.decisions:
        yield from wrapped(_answer(decision, explanation), width, first=_STEP, rest=_STEP * 2)


def _answer(decision: Decision, explanation: Explanation) -> str:
    """The verdict in one line."""
    sign = mark(_SELECTS[decision.answer])
    if decision.answer == "unknown":
        return f"{sign} whether it {_QUESTIONS[decision.question]} is not known"
    if decision.answer == "yes":
        return f"{sign} {_QUESTIONS[decision.question]}"
    reasons = ", ".join(dict.fromkeys(refusal.reason for refusal in decision.refusals))
    verb = _DENIALS[decision.question]
    if not explanation.namespace.enforced:
        verb = _AS_IF[decision.question]
    return f"{sign} {verb}: {reasons}"


def _namespace(explanation: Explanation, width: int) -> Iterator[str]:
    namespace = explanation.namespace
    label = f"{names.MODE_LABEL}={namespace.mode}" if namespace.mode else "no mode"
    text = f"{namespace.name} ({label}): {namespace.message}"
    yield from wrapped(text, width, first=_STEP)
    if explanation.exempt:
        yield from wrapped("all images of the pod are exempt: no model needed", width, first=_STEP)


def _policies(explanation: Explanation, width: int) -> Iterator[str]:
    if not explanation.policies and not explanation.gaps:
        yield from wrapped(f"{mark(False)} none in namespace or cluster", width, first=_STEP)
    for line in explanation.policies:
        yield from _policy(line, width)
    if explanation.selection is not None:
        yield from _refusal(explanation.selection, width, _STEP)


def _policy(line: PolicyLine, width: int) -> Iterator[str]:
    indent = _STEP * 3
    if line.problem:
        yield from wrapped(f"{mark(False)} {line.ref} does not compile", width, first=_STEP)
        yield from wrapped(line.problem, width, first=indent)
        return
    words = {"yes": "selects", "no": "does not select", "unknown": "selects by other labels too"}
    asks = f", asks for {', '.join(line.asks)}" if line.asks else ""
    yield from wrapped(
        f"{mark(_SELECTS[line.selects])} {line.ref} {words[line.selects]}{asks}",
        width,
        first=_STEP,
        rest=indent,
    )
    for reason in line.because:
        yield from wrapped(reason, width, first=indent)
    if line.selects != "no":
        yield f"{indent}digest {line.digest}"
        if line.owner:
            yield from wrapped(f"safety owner {line.owner}", width, first=indent)


def _model(model: ModelLine, width: int) -> Iterator[str]:
    version = f", version {model.version}" if model.version else ""
    yield from wrapped(f"{model.ref}{version}", width, first=_STEP)
    indent = _STEP * 2
    yield f"{indent}manifest {model.manifest_digest}"
    yield f"{indent}source   {model.source}"
    yield from wrapped(f"owner    {model.owner or 'none named'}", width, first=indent)
    ready = model.ready or "no status yet"
    if not model.seen_by_operator:
        ready += " (the operator has not looked at this generation)"
    yield from wrapped(f"ready    {ready}", width, first=indent, rest=indent + _STEP)
    for document in model.evidence:
        counts = ", ".join(document.counts_for) or "nothing that is asked for"
        if document.problem:
            counts = f"nothing: {document.problem}"
        text = f"{document.kind} {document.name} shows {counts}"
        yield from wrapped(text, width, first=indent, rest=indent + _STEP)
        yield f"{indent}{_STEP}{document.digest or 'no digest'}"
    for source in model.sources:
        yield from _source(source, width)


def _source(source: SourceLine, width: int) -> Iterator[str]:
    indent = _STEP * 2
    at = f" at {source.fetched_at}" if source.fetched_at else ""
    text = f"{source.field} {source.name}: {source.place}"
    yield from wrapped(text, width, first=indent, rest=indent + _STEP)
    read = {"True": True, "False": False}.get(source.status.partition(" ")[0])
    said = f"{mark(read)} {source.status or 'not read yet'}{at}: {source.message}"
    yield from wrapped(said, width, first=indent + _STEP, rest=indent + _STEP * 2)
    for digest in source.documents:
        yield f"{indent}{_STEP * 2}{digest}"


def _standing(standing: Standing, width: int) -> Iterator[str]:
    if not standing.requirements:
        yield f"{_STEP}it asks nothing of the model's evidence"
    for line in standing.requirements:
        yield from _requirement(line, width)
    for image in standing.images:
        yield from _image(image, width)
    yield from _certificate(standing.certificate, width)


def _image(image: ImageLine, width: int) -> Iterator[str]:
    words = {True: "is signed", False: "is not signed", None: "is not known to be signed yet"}
    by = f" by {', '.join(image.signed_by)}" if image.signed_by else ""
    until = f", counts until {_time(image.counts_until)}" if by and image.counts_until else ""
    place = f" (looked for in {image.place})" if image.place and not image.signed else ""
    text = f"{mark(image.signed)} server image {image.name} {words[image.signed]}{by}{until}{place}"
    yield from wrapped(text, width, first=_STEP)
    yield f"{_STEP * 3}{image.digest}"
    if image.message:
        yield from wrapped(image.message, width, first=_STEP * 3)


def _requirement(line: RequirementLine, width: int) -> Iterator[str]:
    reported = f" (operator reported {line.reported})" if line.reported else ""
    if line.reported.startswith("True") and line.holds:
        reported = ""
    if line.elsewhere and line.holds:
        reported = " (as the committee judged what is kept elsewhere)"
    until = f", counts until {_time(line.counts_until)}" if line.counts_until else ""
    yield from wrapped(f"{mark(line.holds)} {line.name}{until}{reported}", width, first=_STEP)
    for document in line.shown_by:
        yield from _document(document, width)
    if line.refusal is not None:
        # What would fix it stands with the verdict, once.
        text = f"{line.refusal.reason}: {line.refusal.message}"
        yield from wrapped(text, width, first=_STEP * 3)


def _document(document: Document, width: int) -> Iterator[str]:
    indent = _STEP * 3
    yield f"{indent}shown by {document.name} {document.digest}"
    if document.finished_at is not None:
        if document.suite:
            yield f"{indent}suite {document.suite}"
        yield f"{indent}{document.what}, made {_time(document.finished_at)}"
    for signer in document.signers:
        yield f"{indent}signed by {_signer(signer)}"


def _signer(signer: Signer) -> str:
    if signer.method == "key":
        return f"{signer.name or 'a key without a name'} ({signer.key_id})"
    return f"{signer.name}, {signer.method}: {signer.key_id}"


def _certificate(line: CertificateLine, width: int) -> Iterator[str]:
    holds = {"valid": True, "unverified": None}.get(line.state, False)
    text = f"{mark(holds)} Certificate {line.state}"
    if line.expires_at is not None and holds:
        text += f", expires {_time(line.expires_at)}"
    if line.message:
        text += f": {line.message}"
    indent = _STEP * 3
    yield from wrapped(text, width, first=_STEP, rest=indent)
    if line.certificate_id:
        yield f"{indent}id {line.certificate_id}"
    for voter in line.voters:
        yield f"{indent}vote of {_signer(voter)}"


def _injected(explanation: Explanation, width: int) -> Iterator[str]:
    injection = explanation.injection
    if injection is None:
        return
    for added in injection.added:
        yield f"{_STEP}+ {added}"
    if not injection.added:
        yield f"{_STEP}nothing: the pod holds all of it already"
    yield f"{_STEP * 2}image   {injection.image}"
    yield f"{_STEP * 2}genesis {injection.genesis_digest}"


def _node(node: NodeSide | None, width: int) -> Iterator[str]:
    if node is None:
        return
    held = "held: the operator removes it once the pod may run"
    gate = held if node.gate == "held" else "released"
    text = f"{mark(node.gate == 'released')} scheduling gate {gate}"
    yield from wrapped(text, width, first=_STEP, rest=_STEP * 3)
    if node.message:
        yield from wrapped(node.message, width, first=_STEP * 3)
    for container in node.containers:
        restarts = f", {container.restarts} restarts" if container.restarts else ""
        ready = ""
        if container.role in ("sidecar", "server"):
            ready = "ready, " if container.ready else "not ready, "
        text = f"{mark(container.ready)} {container.name}: {ready}{container.state}{restarts}"
        yield from wrapped(text, width, first=_STEP, rest=_STEP * 3)
        if container.message:
            yield from wrapped(container.message, width, first=_STEP * 3)
    for event in node.events:
        yield from wrapped(event, width, first=_STEP, rest=_STEP * 3)


def _gaps(explanation: Explanation, width: int) -> Iterator[str]:
    for gap in explanation.gaps:
        yield from wrapped(f"{UNKNOWN} {gap.message}", width, first=_STEP, rest=_STEP * 2)
        if gap.fix:
            yield from wrapped(gap.fix, width, first=_STEP * 2)
    for warning in explanation.warnings:
        yield from wrapped(f"{NOTICE} {warning}", width, first=_STEP, rest=_STEP * 2)


def _decisions(explanation: Explanation, width: int) -> Iterator[str]:
    shown: set[Refusal] = set()
    for decision in explanation.decisions:
        yield from wrapped(_answer(decision, explanation), width, first=_STEP, rest=_STEP * 2)
        for warning in decision.warnings:
            yield from wrapped(f"{NOTICE} {warning}", width, first=_STEP * 2, rest=_STEP * 3)
        for refusal in decision.refusals:
            if refusal in shown:
                yield f"{_STEP * 2}{refusal.reason}: as above"
                continue
            shown.add(refusal)
            yield from _refusal(refusal, width, _STEP * 2)


def _refusal(refusal: Refusal, width: int, indent: str) -> Iterator[str]:
    inner = indent + _STEP
    yield from wrapped(f"{refusal.reason}: {refusal.message}", width, first=indent, rest=inner)
    asked = " of ".join(part for part in (refusal.requirement, refusal.policy) if part)
    if asked:
        yield from wrapped(f"asked by {asked}", width, first=inner)
    if refusal.owner:
        yield from wrapped(f"owner {refusal.owner}", width, first=inner)
    yield from wrapped(f"fix: {refusal.remedy.text}", width, first=inner, rest=inner + _STEP)
    # Commands stay on one line, however long: they are there to be copied.
    for command in refusal.remedy.commands:
        yield f"{inner}$ {command}"


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
