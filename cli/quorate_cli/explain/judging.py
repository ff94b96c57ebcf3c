"""The verdict at the end of the chain, from the same functions that webhook and operator ask."""

from datetime import datetime

import msgspec

from quorate import names
from quorate.admission import mutate, pods, validate
from quorate.admission.injection import Pod
from quorate.admission.snapshot import BrokenPolicy, Snapshot
from quorate.admission.store import Store
from quorate.admission.validate import Judgement
from quorate.errors import InvalidInput
from quorate.verdict import Denial, Reason
from quorate_cli.explain.explanation import (
    Decision,
    Explanation,
    Injection,
    Question,
    Refusal,
    Standing,
)
from quorate_cli.explain.facts import Facts
from quorate_cli.explain.remedies import refusal
from quorate_cli.explain.remedies.context import Context
from quorate_cli.explain.serving import serving


def judge_pod(
    explanation: Explanation, facts: Facts, context: Context, now: datetime
) -> Explanation:
    """Add what would be injected, and the verdicts on creating and running the pod."""
    pod = facts.pod
    snapshot = _snapshot(facts, now)
    if pod is None or snapshot is None:
        return _with(explanation, _unknown("create"), _unknown("run"))
    injected = explanation.namespace.enforced and facts.exists
    try:
        whole = pod if injected else _completed(pod, snapshot)
        ran = validate.may_run(whole, snapshot, now)
        created = validate.create(whole, snapshot)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # Only a file holds what the API server's own checks would have refused.
        raise InvalidInput(f"is no pod that the API server accepts: {error!r}") from None
    decisions = [_run(ran, explanation.standings, context)]
    if not facts.exists or pods.is_gated(pod):
        decisions.insert(0, _decision("create", created, context))
    if explanation.node_side is not None:
        seen = serving(explanation.node_side, facts.namespace, explanation.subject.name)
        decisions += [seen] if seen else []
    selection = ran.selection
    refused = selection.verdict.denials if selection and not ran.exempt else ()
    return msgspec.structs.replace(
        _with(explanation, *decisions),
        exempt=ran.exempt,
        selection=refusal(refused[0], context) if refused else None,
        injection=None if injected or ran.exempt else _injection(pod, whole, snapshot),
    )


def _snapshot(facts: Facts, now: datetime) -> Snapshot | None:
    """What admission knows, built as the webhook builds it; None if something is not known."""
    if facts.blind or facts.injection is None or facts.history is None:
        return None
    store = Store(facts.injection, facts.history)
    for policy in facts.policies:
        store.put_policy(policy)
    if facts.model is not None:
        store.put_model(facts.model, now)
    for claim in facts.claims:
        store.put_claim(claim)
    return store.snapshot()


def _completed(pod: Pod, snapshot: Snapshot) -> Pod:
    """The pod as mutate leaves it."""
    operations = mutate.complete(pod, snapshot)
    exempt = validate.is_exempt(pod, validate.selected(pod, snapshot))
    if not operations and not exempt and not pods.is_gated(pod):
        # The webhook injects around a model it does not know too, so that validate says why.
        operations = mutate.patch(pod, names.WORK_VOLUME, snapshot.injection)
    return mutate.apply(pod, operations)


def _injection(before: Pod, after: Pod, snapshot: Snapshot) -> Injection:
    added: list[str] = []
    for field, title in (
        ("schedulingGates", "scheduling gate"),
        ("volumes", "volume"),
        ("initContainers", "init container"),
    ):
        known = {item["name"] for item in before["spec"].get(field) or ()}
        new = [item["name"] for item in after["spec"].get(field) or () if item["name"] not in known]
        added += [f"{title} {name}" for name in new]
    for old, new in zip(before["spec"]["containers"], after["spec"]["containers"], strict=True):
        if old.get("lifecycle") != new.get("lifecycle"):
            added.append(f"preStop sleep of container {new['name']}: streams drain")
    config = snapshot.injection
    return Injection(added=tuple(added), image=config.image, genesis_digest=config.genesis_digest)


def _with(explanation: Explanation, *decisions: Decision) -> Explanation:
    return msgspec.structs.replace(explanation, decisions=decisions)


def _unknown(question: Question) -> Decision:
    return Decision(question=question, answer="unknown")


def _decision(question: Question, judgement: Judgement, context: Context) -> Decision:
    return Decision(
        question=question,
        answer="yes" if judgement.verdict.allowed else "no",
        refusals=tuple(refusal(denial, context) for denial in judgement.verdict.denials),
        warnings=judgement.warnings,
    )


def _run(judgement: Judgement, standings: tuple[Standing, ...], context: Context) -> Decision:
    """The verdict on running; a missing certificate is told with what keeps it from being made."""
    decision = _decision("run", judgement, context)
    return msgspec.structs.replace(decision, refusals=_with_causes(decision.refusals, standings))


def _with_causes(
    refusals: tuple[Refusal, ...], standings: tuple[Standing, ...]
) -> tuple[Refusal, ...]:
    by_policy = {standing.policy: standing for standing in standings}
    result: dict[Refusal, None] = {}
    for one in refusals:
        standing = by_policy.get(one.policy)
        if one.requirement == "Certified" and standing is not None:
            causes = (line.refusal for line in standing.requirements)
            result |= dict.fromkeys(cause for cause in causes if cause is not None)
        result[one] = None
    return tuple(result)


def judge_model(
    explanation: Explanation,
    facts: Facts,
    context: Context,
    broken: list[BrokenPolicy],
    problem: str,
) -> Explanation:
    """Whether pods may run as far as their model goes: evidence, certificates, owners.

    ``problem`` says why the model cannot be read; empty if it can.
    """
    if facts.blind:
        return _with(explanation, _unknown("run"))
    denials: list[Denial] = [
        Denial(Reason.INVALID_POLICY, f"{p.ref} does not compile: {p.message}", policy=p.ref)
        for p in broken
    ]
    if not context.policies:
        denials.append(Denial(Reason.NO_POLICY, "no policy selects the pods of this model"))
    elif not any(policy.is_cluster and policy.signers for policy in context.policies):
        message = "no ClusterSafetyPolicy that names signers selects the pods of this model"
        denials.append(Denial(Reason.NO_PLATFORM_FLOOR, message))
    model = context.model
    if model is None:
        denials.append(Denial(Reason.MALFORMED, problem))
    elif model.spec.owners is None and explanation.namespace.enforced:
        message = f"{model.ref}: spec.owners must be set where the namespace enforces"
        denials.append(Denial(Reason.MALFORMED, message))
    refusals = [refusal(denial, context) for denial in denials]
    for standing in explanation.standings:
        refusals += _uncertified(standing, context)
    decision = Decision(
        question="run", answer="no" if refusals else "yes", refusals=tuple(refusals)
    )
    return _with(explanation, decision)


def _uncertified(standing: Standing, context: Context) -> list[Refusal]:
    found = [line.refusal for line in standing.requirements if line.refusal is not None]
    certificate = standing.certificate
    if certificate.state != "valid":
        reason = {"missing": Reason.CERTIFICATE_MISSING}.get(
            certificate.state, Reason.CERTIFICATE_INVALID
        )
        policy = context.policy(standing.policy)
        owner = policy.safety_contact if policy else ""
        denial = Denial(reason, certificate.message, "Certified", standing.policy, owner)
        found.append(refusal(denial, context))
    return found
