"""Preview: what admission would say of existing pods under policies that may not be in force yet.

No second opinion: a pod is judged by the functions that the webhook and the operator ask, a model
by the one that members ask. Only what they are asked *about* is made up: the pod as its controller
would make it again, the model as if the committee had judged it under a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from quorate import names
from quorate.admission import escape, injection, pods, report
from quorate.admission.escape import Escape
from quorate.admission.injection import Pod
from quorate.admission.model import HeldCertificate, KnownModel, Report, certified
from quorate.admission.outlook import outlook
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement
from quorate.alerts import Rule
from quorate.api.v1alpha1 import AttestedModel
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import evaluate
from quorate.policy.exceptions import NOTHING, Lifted
from quorate.ports import Sigstore
from quorate.verdict import Reason, Verdict, all_of

CERTIFICATE_LIFE: Final = timedelta(hours=1)
"""How long a certificate that is only thought of lives: as a real one does at the most."""


class Fate(StrEnum):
    """What becomes of a pod once its namespace enforces these policies. Stable words."""

    GOES_ON = "GoesOn"
    """It stays as it is, and so will the next one of its kind."""
    HELD = "HeldAtGate"
    """It waits at its gate, and may not run."""
    STOPS_SERVING = "StopsServing"
    """It stays, and its sidecar refuses every request: its model holds no certificate."""
    REFUSED_NEXT = "RefusedAtNextStart"
    """It stays, and the next one of its kind is refused."""
    REPLACED = "Replaced"
    """It was made while nothing enforced, so it is deleted; the next one is admitted."""
    DELETED = "Deleted"
    """As ``REPLACED``, but no controller makes it again: what it served is gone."""
    REFUSED = "Refused"
    """It is deleted, and the next one is refused."""
    STATIC = "StaticPod"
    """The kubelet runs it from a file, so nothing can refuse it; an incident names it."""

    @property
    def denies(self) -> bool:
        """Whether something is refused."""
        return self not in (Fate.GOES_ON, Fate.REPLACED, Fate.DELETED)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A pod's fate, and what admission says of the next one of its kind."""

    fate: Fate
    judgement: Judgement


def foresee(pod: Pod, snapshot: Snapshot, now: datetime, *, guarded: bool) -> Foreseen:
    """What becomes of a pod where these policies are enforced.

    ``guarded``: its namespace enforces already, so nobody but mutate injected what it carries, and
    one without a mark that is still there was let run by a release before marks.
    """
    judgement = next_start(pod, snapshot, now, guarded=guarded)
    found = escape.foretell(pod, snapshot, now, familiar=guarded)
    if found is None:
        return Foreseen(_fate_where_it_is(pod, judgement), judgement)
    return Foreseen(_fate_of_escape(pod, judgement, found), judgement)


def _fate_of_escape(pod: Pod, judgement: Judgement, found: Escape) -> Fate:
    if found.rule is Rule.STATIC_POD_FOUND:
        return Fate.STATIC
    if not found.deletable:
        return Fate.REFUSED_NEXT
    if judgement.verdict.denials:
        return Fate.REFUSED
    return Fate.REPLACED if has_controller(pod) else Fate.DELETED


def _fate_where_it_is(pod: Pod, judgement: Judgement) -> Fate:
    denials = judgement.verdict.denials
    if not denials:
        return Fate.GOES_ON
    if pods.is_gated(pod):
        return Fate.HELD
    uncertified = any(denial.requirement == "Certified" for denial in denials)
    return Fate.STOPS_SERVING if uncertified else Fate.REFUSED_NEXT


def next_start(pod: Pod, snapshot: Snapshot, now: datetime, *, guarded: bool) -> Judgement:
    """What admission says of the pod when its controller makes it again."""
    return report.would_say(as_new(pod, snapshot, guarded=guarded), snapshot, now)


def as_new(pod: Pod, snapshot: Snapshot, *, guarded: bool) -> Pod:
    """The pod as its controller would make it again; the one given stays as it was.

    What the scheduler and a debugger added is gone, and, where the namespace is ``guarded``, what
    mutate did: elsewhere a tenant may have written it.
    """
    spec = {key: value for key, value in pod["spec"].items() if key != "ephemeralContainers"}
    if not names_its_node(pod):
        spec.pop("nodeName", None)
    if guarded and pods.carries_injection(pod):
        volumes = {volume["name"] for volume in injection.volumes(snapshot.injection)}
        volumes.add(names.CANARY_VOLUME)
        for field, ours in (("initContainers", set(pods.INJECTED)), ("volumes", volumes)):
            spec[field] = [item for item in spec.get(field) or () if item["name"] not in ours]
    return pod | {"spec": spec}


def names_its_node(pod: Pod) -> bool:
    """Whether whoever made the pod chose its node, and not the scheduler.

    A binding leaves no trace in ``managedFields``, a field that somebody wrote does.
    """
    if not pod["spec"].get("nodeName"):
        return False
    for entry in pod["metadata"].get("managedFields") or ():
        written = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if "f:nodeName" in written and not entry.get("subresource"):
            return True
    return False


def has_controller(pod: Pod) -> bool:
    """Whether something would make the pod again."""
    return any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or ())


def of_model(known: KnownModel, policies: tuple[CompiledPolicy, ...], now: datetime) -> Verdict:
    """Whether a model holds what these policies ask, and a certificate for each."""
    failed, _ = outlook(known, policies)
    return all_of(Verdict(tuple(failed)), *(certified(known, policy, now) for policy in policies))


def as_if_judged(
    known: KnownModel,
    model: AttestedModel,
    policy: CompiledPolicy,
    now: datetime,
    sigstore: Sigstore | None,
    lifted: Mapping[str, Lifted] = NOTHING,
) -> KnownModel:
    """The model as if the committee had judged it under ``policy``, which is not in force.

    ``lifted`` are requirements that an exception lifts for this model and policy. What is kept
    outside the object is not known here: a requirement that it might show is neither
    met nor failed, so there is no certificate.
    """
    judged = evaluate(policy, model, now, sigstore=sigstore, lifted=lifted)
    failed, unknown = [], []
    for requirement in judged.requirements:
        denial = requirement.denial
        remembered = _remembered(known, policy, requirement.name)
        if remembered and not requirement.lifted_by:
            failed.append((requirement.name, str(Reason.GATE_FAILED), remembered))
        elif denial is not None and model.spec.sources:
            message = "what is kept outside the object is judged by the committee alone"
            unknown.append((requirement.name, str(Reason.VERIFICATION_PENDING), message))
        elif denial is not None:
            failed.append((requirement.name, str(denial.reason), denial.message))
    certificates = {ref: held for ref, held in known.certificates.items() if ref != policy.ref}
    if not failed and not unknown:
        certificates[policy.ref] = HeldCertificate(policy.digest, now + CERTIFICATE_LIFE, "preview")
    return replace(
        known,
        certificates=certificates,
        refused={ref: why for ref, why in known.refused.items() if ref != policy.ref},
        reports={**known.reports, policy.ref: Report(policy.digest, tuple(failed), tuple(unknown))},
    )


def _remembered(known: KnownModel, policy: CompiledPolicy, requirement: str) -> str:
    """A failure that members remember although the model may no longer carry the statement."""
    said = known.reports.get(policy.ref)
    for name, reason, message in said.failed if said else ():
        if (name, reason) == (requirement, Reason.GATE_FAILED):
            return message
    return ""
