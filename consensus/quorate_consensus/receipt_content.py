"""Whether a pod gets a receipt, and what is in it. Pure: from what is known and asked to the words.

Everything that is missing is a denial with its reason: a receipt is a permission, not a report.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from quorate import names
from quorate.consensus.epoch import Epoch
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy
from quorate.receipt import ReceiptPolicy, ReceiptStatement, RequestStatement
from quorate.verdict import ALLOW, Denial, Reason, Verdict, all_of, deny
from quorate_consensus.issuing import Issued, Standing
from quorate_consensus.state_content import Question
from quorate_consensus.tokens import Caller
from quorate_io.member_api import ObservedContainer, ObservedPod

INJECTED = (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER)
_WAIT = "the sidecar asks again; see the operator if it lasts"


def identity(caller: Caller, pod: ObservedPod, asked: RequestStatement) -> Verdict:
    """Whether the token is of this pod on its node, and the request about it."""
    if asked.pod_uid != pod.uid:
        return deny(
            Reason.REQUEST_OTHER_POD, f"the request is for pod {asked.pod_uid}, not {pod.uid}"
        )
    if not caller.node_uid:
        return deny(
            Reason.TOKEN_WITHOUT_NODE,
            "the token does not say which node it was made for",
            fix="use Kubernetes 1.32 or later, which binds tokens to nodes",
        )
    if caller.node_name != pod.node:
        here = pod.node or "no node yet"
        message = f"the token was made for node {caller.node_name}, the pod is on {here}"
        return deny(Reason.TOKEN_OTHER_NODE, message, fix=_WAIT)
    return ALLOW


def images(pod: ObservedPod, policies: Sequence[CompiledPolicy]) -> Verdict:
    """Whether the pod consists of the injected containers and of images the policies name."""
    if not pod.containers:
        message = "it is not known which images the pod consists of"
        return deny(Reason.IMAGES_UNKNOWN, message, fix=_WAIT)
    missing = set(INJECTED) - {container.name for container in pod.containers if container.init}
    if missing:
        message = f"the pod has no {' and no '.join(sorted(missing))}"
        return deny(Reason.NOT_INJECTED, message, fix="create the pod anew")
    servers = intersect.allowed_servers(policies)
    downloaders = intersect.allowed_downloaders(policies) - servers
    denials: list[Denial] = []
    for container in pod.containers:
        if container.init and container.name in INJECTED:
            denials += _injected(container)
        else:
            denials += _named(container, downloaders if container.init else servers)
    return Verdict(tuple(denials))


def _injected(container: ObservedContainer) -> Iterator[Denial]:
    """No policy names the injected image; admission compared it with what is injected."""
    if not container.asked:
        yield Denial(
            Reason.NOT_INJECTED,
            f"{container.name} has an image without a digest",
            fix="create the pod anew",
        )
    elif container.runs not in ("", container.asked):
        yield _differs(container)


def _named(container: ObservedContainer, allowed: frozenset[str]) -> Iterator[Denial]:
    if container.asked not in allowed:
        yield Denial(
            Reason.SERVER_NOT_ALLOWED,
            f"the image of {container.name} ({container.asked or 'no digest'}) is not one the "
            "policies name",
            requirement=f"model.{'downloaders' if container.init else 'servers'}",
            fix="name its digest there in all policies that select the pod",
        )
    elif container.runs and container.runs not in allowed:
        yield _differs(container)


def _differs(container: ObservedContainer) -> Denial:
    return Denial(
        Reason.IMAGE_DIFFERS,
        f"the kubelet runs {container.runs} as {container.name}, asked was {container.asked}",
        requirement="model.servers",
        fix="if the node knows one image by two digests, name both in spec.model.servers, or "
        "remove one from the node",
    )


def terms(
    pod: ObservedPod, asked: RequestStatement, question: Question, standings: Sequence[Standing]
) -> Verdict:
    """Everything that needs judgements: certificates of every policy, bytes and images."""
    verdict = all_of(*(standing.evaluation.verdict for standing in standings))
    if not verdict.allowed:
        return verdict
    without = [
        Denial(Reason.CERTIFICATE_MISSING, f"no certificate for {policy.ref}")
        for policy, standing in zip(question.policies, standings, strict=True)
        if standing.certificate is None
    ]
    certified = question.model.model.spec.manifest_digest
    bytes_ = ALLOW
    if asked.manifest_digest != certified:
        bytes_ = deny(
            Reason.MANIFEST_MISMATCH,
            f"the pod measured {asked.manifest_digest}, certified is {certified}",
            fix="delete the pod, so that it is admitted and measured again",
        )
    return all_of(Verdict(tuple(without)), bytes_, images(pod, question.policies))


def statement(
    caller: Caller,
    pod: ObservedPod,
    asked: RequestStatement,
    certificates: Sequence[tuple[CompiledPolicy, Issued]],
    *,
    epoch: Epoch,
    now: datetime,
    heard_at: datetime,
    life: int,
    signed_until: datetime | None = None,
) -> ReceiptStatement | None:
    """The receipt at ``now``; None if it would have ended already.

    It ends ``life`` seconds after the operator was last heard, and with the first certificate: what
    may have been withdrawn since is not kept alive. ``signed_until``: when a server image of the
    pod is not signed any more.
    """
    issued_at = now.replace(microsecond=0)
    heard = min(heard_at.replace(microsecond=0), issued_at)
    ends = [issued.expires_at for _, issued in certificates]
    ends += [signed_until] if signed_until else []
    expires_at = min([heard + timedelta(seconds=life), *ends])
    if expires_at <= now:
        return None
    digests = {c.asked for c in pod.containers} | {c.runs for c in pod.containers if c.runs}
    return ReceiptStatement(
        cluster_id=epoch.cluster_id,
        epoch=epoch.digest_text,
        pod_uid=pod.uid,
        node_uid=caller.node_uid,
        image_digests=tuple(sorted(digests)),
        manifest_digest=asked.manifest_digest,
        policies=tuple(
            ReceiptPolicy(policy.ref, policy.digest, issued.certificate_id)
            for policy, issued in certificates
        ),
        session_key=asked.session_key,
        issued_at=issued_at,
        expires_at=expires_at,
    )
