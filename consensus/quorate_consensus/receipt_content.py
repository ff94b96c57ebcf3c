"""Whether a pod gets a receipt, and what is in it. Pure: from what is known and asked to the words.

Everything that is missing is a denial with its reason: a receipt is a permission, not a report.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from quorate import names
from quorate.certificate import Certificate
from quorate.consensus.epoch import Epoch
from quorate.errors import Unavailable
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy
from quorate.receipt import ReceiptPolicy, ReceiptStatement, RequestStatement
from quorate.verdict import ALLOW, Denial, Reason, Verdict, all_of, deny
from quorate_consensus.issuing import Standing
from quorate_consensus.state_content import Question
from quorate_consensus.tokens import Caller
from quorate_io.member_api import ObservedContainer, ObservedPod

RECEIPT_HEARD = 15
"""Seconds, at most half of a receipt's life, for which the operator counts as silent though it says
every three that nothing changed. See :func:`counted_silence`."""
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
    """Everything that needs judgements: every policy, bytes and images."""
    verdict = all_of(*(standing.evaluation.verdict for standing in standings))
    if not verdict.allowed:
        return verdict
    certified = question.model.model.spec.manifest_digest
    bytes_ = ALLOW
    if asked.manifest_digest != certified:
        bytes_ = deny(
            Reason.MANIFEST_MISMATCH,
            f"the pod measured {asked.manifest_digest}, certified is {certified}",
            fix="delete the pod, so that it is admitted and measured again",
        )
    return all_of(bytes_, images(pod, question.policies))


def counted_silence(silence: timedelta, life: int) -> timedelta:
    """How long the operator counts as silent for a receipt of ``life`` seconds: rounded up, to
    RECEIPT_HEARD, twice that, four times …

    Each member heard it at another moment, and all must sign the same end. While their moments lie
    on both sides of a step there is no receipt; a second later there is.
    """
    counted = timedelta(seconds=min(RECEIPT_HEARD, life / 2))
    while counted < silence:
        counted *= 2
    return counted


def statement(
    caller: Caller,
    pod: ObservedPod,
    asked: RequestStatement,
    certificates: Sequence[Certificate],
    *,
    epoch: Epoch,
    now: datetime,
    heard_at: datetime,
    life: int,
    signed_until: datetime | None = None,
) -> ReceiptStatement:
    """The receipt, for a member whose clock says ``now``: the same at all of them.

    It is issued at the second of the request. It ends within ``life`` of the operator's last word,
    and with the first certificate: what may have been withdrawn since is not kept alive.
    ``signed_until``: when a server image of the pod is not signed any more. Raises Unavailable if
    the operator was not heard for too long, or if the receipt would have ended already.
    """
    issued_at = asked.issued_at.astimezone(UTC).replace(microsecond=0)
    silent = counted_silence(max(now, issued_at) - heard_at, life)
    if silent >= timedelta(seconds=life):
        raise Unavailable(
            f"the operator was last heard at {heard_at.isoformat()}",
            fix="see the operator's Pods and its log",
        )
    ends = [certificate.statement.expires_at for certificate in certificates]
    ends += [signed_until] if signed_until else []
    expires_at = min([issued_at + timedelta(seconds=life) - silent, *ends])
    if expires_at <= max(now, issued_at):
        raise Unavailable(
            f"a receipt would have ended at {expires_at.isoformat()}",
            fix="it is asked for again; if this lasts, see the AttestedModel's conditions",
        )
    digests = {c.asked for c in pod.containers} | {c.runs for c in pod.containers if c.runs}
    return ReceiptStatement(
        cluster_id=epoch.cluster_id,
        epoch=epoch.digest_text,
        pod_uid=pod.uid,
        node_uid=caller.node_uid,
        image_digests=tuple(sorted(digests)),
        manifest_digest=asked.manifest_digest,
        policies=tuple(
            ReceiptPolicy(
                certificate.statement.policy,
                certificate.statement.policy_digest,
                certificate.certificate_id,
            )
            for certificate in certificates
        ),
        session_key=asked.session_key,
        issued_at=issued_at,
        expires_at=expires_at,
    )
