"""Validate: may this pod be created, changed, bound? The decision, as a function of a snapshot.

In an enforced namespace every pod is a model pod unless all its images are exempt. What is not
known is denied. An UPDATE is judged by what it changes (quorate.admission.update).
"""

from dataclasses import replace
from datetime import datetime

import msgspec

from quorate import names
from quorate.admission import pods, rules
from quorate.admission.injection import InjectionConfig, Pod
from quorate.admission.model import KnownModel, certified
from quorate.admission.outlook import outlook
from quorate.admission.selection import Selection
from quorate.admission.signed_servers import Found, unsigned_servers
from quorate.admission.snapshot import BrokenPolicy, Snapshot
from quorate.admission.templates import Context
from quorate.verdict import ALLOW, Denial, Reason, Verdict, all_of, deny


class Judgement(msgspec.Struct, frozen=True):
    """A verdict, and what a person should know although it allows."""

    verdict: Verdict
    warnings: tuple[str, ...] = ()
    exempt: bool = False
    """The pod is no model pod: all its images are exempt."""
    selection: Selection | None = None
    """The policies that selected the pod, if it came that far."""
    known: KnownModel | None = None
    """The model, if it came that far."""


def recall(pod: Pod, text: bytes, snapshot: Snapshot) -> Judgement | None:
    """What :func:`create` would say, if it found the same spec good before; else None.

    ``pod`` needs its metadata only; ``text`` is its spec by quorate.admission.templates.plain_text.
    """
    context = context_of(pod, snapshot)
    if context is None or not snapshot.admitted.recall(context, text):
        return None
    selection, known, _ = context
    if _broken(known.namespace, snapshot):
        return None
    failed, pending = outlook(known, selection.policies)
    return None if failed else Judgement(ALLOW, pending, False, selection, known)


def context_of(pod: Pod, snapshot: Snapshot) -> Context | None:
    """What the pod's shape depends on besides its spec; None if its model is not known."""
    known = snapshot.models.get((pods.namespace(pod), pods.model_name(pod)))
    if known is None:
        return None
    claim = known.source.persistent_volume_claim
    modes = snapshot.claims.get((known.namespace, claim.claim_name)) if claim else None
    return selected(pod, snapshot), known, modes


def create(pod: Pod, snapshot: Snapshot, text: bytes = b"") -> Judgement:
    """May this pod be created? It must be complete and gated; certificates may still be missing.

    With ``text`` (see :func:`recall`) a yes is kept for pods of the same template.
    """
    judgement = shape(pod, snapshot)
    if judgement.exempt or judgement.known is None or judgement.selection is None:
        return judgement
    extra: list[Denial] = []
    if not pods.is_gated(pod):
        extra.append(
            Denial(
                Reason.NOT_GATED,
                f"the pod must carry the scheduling gate {names.SCHEDULING_GATE}",
                fix="create the pod anew; the mutating webhook was not reached",
            )
        )
    if pod["spec"].get("nodeName"):
        message = "spec.nodeName must not be set: neither scheduler nor gate would see the pod"
        extra.append(Denial(Reason.PRESET_NODE, message, fix="remove it; use a nodeSelector"))
    failed, pending = outlook(judgement.known, judgement.selection.policies)
    images = _images(pod, judgement.known, judgement.selection)
    failed += images.unsigned
    pending += tuple(f"{denial.reason}: {denial.message}" for denial in images.unread)
    # What depends on the images too is not kept: recall looks at the model's report only.
    keep = bool(text) and not images.unsigned and not images.unread
    context = context_of(pod, snapshot) if keep else None
    if context is not None and not extra and judgement.verdict.allowed:
        snapshot.admitted.remember(context, text, True)
    if not extra and not failed:
        return msgspec.structs.replace(judgement, warnings=pending) if pending else judgement
    extra = [_owned(denial, judgement.selection) for denial in extra]
    verdict = Verdict((*judgement.verdict.denials, *extra, *failed))
    return msgspec.structs.replace(judgement, verdict=verdict, warnings=pending)


def may_run(pod: Pod, snapshot: Snapshot, now: datetime, text: bytes = b"") -> Judgement:
    """May this pod run now? Its shape is right and its model holds a certificate per policy.

    With ``text`` (see :func:`recall`) a shape that is right is kept for pods of the same template.
    """
    judgement = _shape_of_text(pod, snapshot, text) if text else shape(pod, snapshot)
    if judgement.exempt or judgement.known is None or judgement.selection is None:
        return judgement
    certificates = (certified(judgement.known, p, now) for p in judgement.selection.policies)
    images = _images(pod, judgement.known, judgement.selection, now)
    verdict = all_of(judgement.verdict, *certificates, Verdict((*images.unsigned, *images.unread)))
    return msgspec.structs.replace(judgement, verdict=verdict)


def _images(
    pod: Pod, known: KnownModel, selection: Selection, now: datetime | None = None
) -> Found:
    return unsigned_servers(pod, known, selection.policies, selection.downloaders, now)


def _shape_of_text(pod: Pod, snapshot: Snapshot, text: bytes) -> Judgement:
    """What :func:`shape` says, not worked out again for a spec that was found right before."""
    context = context_of(pod, snapshot)
    if context is None or _broken(context[1].namespace, snapshot):
        return shape(pod, snapshot)
    if snapshot.shaped.recall(context, text):
        return Judgement(ALLOW, (), False, context[0], context[1])
    judgement = shape(pod, snapshot)
    if not judgement.exempt and judgement.known is not None and judgement.verdict.allowed:
        snapshot.shaped.remember(context, text, True)
    return judgement


def shape(pod: Pod, snapshot: Snapshot) -> Judgement:
    """Everything but certificates: policies, model, containers, volumes, injection."""
    namespace = pods.namespace(pod)
    broken = _broken(namespace, snapshot)
    if broken is not None:
        message = f"{broken.ref} does not compile: {broken.message}"
        fix = "correct or delete the policy"
        return _refused(Reason.INVALID_POLICY, message, policy=broken.ref, fix=fix)
    selection = selected(pod, snapshot)
    if is_exempt(pod, selection):
        denials = rules.check_exempt(pod, _injections(snapshot))
        return Judgement(Verdict(tuple(denials)), exempt=True)
    if not selection.verdict.allowed:
        return Judgement(selection.verdict, selection=selection)
    context = context_of(pod, snapshot)
    if context is None:
        return Judgement(_no_model(pod, selection), selection=selection)
    verdict = _against_rules(pod, context, snapshot)
    return Judgement(verdict, (), False, selection, context[1])


def _broken(namespace: str, snapshot: Snapshot) -> BrokenPolicy | None:
    """A policy that does not compile and might have been for a pod of this namespace."""
    for broken in snapshot.policies.broken:
        if broken.namespace in (None, namespace):
            return broken
    return None


def selected(pod: Pod, snapshot: Snapshot) -> Selection:
    """The policies that select the pod, intersected."""
    return snapshot.policies.selections.of(pods.namespace(pod), pods.labels(pod))


def is_exempt(pod: Pod, selection: Selection) -> bool:
    """Whether all the pod's images are on every platform policy's list. No image, no exemption."""
    exempt = selection.exempt
    return bool(exempt) and pods.has_images_only_of(pod, exempt)


def _no_model(pod: Pod, selection: Selection) -> Verdict:
    name, namespace = pods.model_name(pod), pods.namespace(pod)
    if not name:
        denial = Denial(
            Reason.NO_MODEL_LABEL,
            f"a pod in an enforced namespace must say which model it serves ({names.MODEL_LABEL})",
            fix="label the pod, or have its images exempted in a ClusterSafetyPolicy",
        )
    else:
        denial = Denial(
            Reason.MODEL_NOT_FOUND,
            f"no AttestedModel {namespace}/{name}",
            fix=f"kubectl quorate model manifest --name {name} --namespace {namespace} … "
            "| kubectl apply -f -",
        )
    return Verdict((_owned(denial, selection),))


def _against_rules(pod: Pod, context: Context, snapshot: Snapshot) -> Verdict:
    selection, known, claim_modes = context
    if not known.has_owners:
        message = f"{known.ref}: spec.owners must be set where the namespace enforces"
        return Verdict((_owned(Denial(Reason.MALFORMED, message), selection),))
    if selection.rules is None:
        error = selection.conflict
        denial = Denial(
            Reason.POLICY_CONFLICT,
            error.message if error else "the policies leave no rules",
            fix=error.fix if error else "",
        )
        return Verdict((_owned(denial, selection),))
    allowed = rules.Allowed(
        source=known.source,
        servers=selection.servers,
        kinds=selection.kinds,
        sources=selection.sources,
        downloaders=selection.downloaders,
        volumes=selection.volumes,
        places=selection.places,
        rules=selection.rules,
        injections=_injections(snapshot),
        claim_modes=claim_modes,
        pins=selection.pins,
    )
    denials = rules.check(pod, allowed)
    if not denials:
        return ALLOW
    return Verdict(tuple(dict.fromkeys(_owned(denial, selection) for denial in denials)))


def _injections(snapshot: Snapshot) -> tuple[InjectionConfig, ...]:
    """What this release injects, and what the one before did."""
    return (snapshot.injection, *snapshot.previous)


def _owned(denial: Denial, selection: Selection) -> Denial:
    """The denial with the policies that ask for it and who answers for them."""
    return replace(denial, policy=selection.names, owner=selection.owner)


def _refused(reason: Reason, message: str, **details: str) -> Judgement:
    return Judgement(deny(reason, message, **details))
