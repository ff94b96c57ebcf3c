"""Whether a running pod's server images are signed, for every policy that asks. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from quorate.certificate import Certificate, ServerImage
from quorate.errors import Unavailable
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.server_images import SERVERS_SIGNED, fix_of
from quorate.verdict import Denial, Reason, Verdict
from quorate_consensus.issuing import Standing
from quorate_consensus.state_content import Question
from quorate_io.member_api import ObservedPod


def servers_signed(
    pod: ObservedPod, question: Question, standings: Sequence[Standing], now: datetime
) -> Verdict:
    """A denial for each image that is not signed, as asked for or as the kubelet runs it.

    Raises Unavailable if it is not known yet of one: the pod goes on with the receipt it has.
    """
    denials = [
        denial
        for policy, standing in zip(question.policies, standings, strict=True)
        for denial in _unsigned(policy, standing, _images(pod), now)
    ]
    return Verdict(tuple(denials))


def first_end(
    pod: ObservedPod,
    policies: Sequence[CompiledPolicy],
    certificates: Sequence[Certificate],
    now: datetime,
) -> datetime | None:
    """When the first of the pod's images is not signed any more; None if none ends by itself.

    By the certificates, which are the same at all members. Raises Unavailable if one does not list
    an image that its policy names: it was made before the signature was known.
    """
    images = _images(pod)
    ends = [
        image.not_after
        for policy, certificate in zip(policies, certificates, strict=True)
        for image in _listed(policy, certificate, images, now)
        if image.not_after is not None
    ]
    return min(ends, default=None)


def _listed(
    policy: CompiledPolicy, certificate: Certificate, images: set[str], now: datetime
) -> Iterator[ServerImage]:
    if policy.server_signers is None:
        return
    listed = {one.digest: one for one in certificate.statement.servers if _counts(one, now)}
    for server in policy.spec.model.servers or ():
        if server.digest not in images:
            continue
        if server.digest not in listed:
            raise Unavailable(
                f"no certificate for {policy.ref} that lists server image {server.name} was "
                "collected yet",
                fix="the operator collects a new one; see the AttestedModel's conditions",
            )
        yield listed[server.digest]


def _images(pod: ObservedPod) -> set[str]:
    """Digests of all containers but init containers, which are injected or download."""
    containers = [container for container in pod.containers if not container.init]
    return {c.asked for c in containers} | {c.runs for c in containers if c.runs}


def _unsigned(
    policy: CompiledPolicy, standing: Standing, images: set[str], now: datetime
) -> Iterator[Denial]:
    if policy.server_signers is None:
        return
    found = standing.evaluation.servers
    signed = {image.digest for image in found.signed if _counts(image, now)}
    for server in policy.spec.model.servers or ():
        if server.digest not in images - signed:
            continue
        if server.digest in found.unread:
            raise Unavailable(
                f"the signatures of server image {server.name} were not read yet",
                fix=f"see status.sources of {policy.ref}",
            )
        yield Denial(
            Reason.SERVER_NOT_SIGNED,
            f"server image {server.name} ({server.digest}) is not signed as the policy asks",
            requirement=SERVERS_SIGNED,
            policy=str(policy.ref),
            owner=policy.safety_contact,
            fix=fix_of(policy, server),
        )


def _counts(image: ServerImage, now: datetime) -> bool:
    return image.not_after is None or now < image.not_after
