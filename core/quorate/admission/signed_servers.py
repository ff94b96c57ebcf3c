"""Is the server's image signed, for every policy that asks? As the committee certified it.

Without a certificate for a policy as it is now there is nothing to compare with: then
:func:`quorate.admission.model.certified` denies, and here nothing is said.
"""

from dataclasses import dataclass
from datetime import datetime

from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.model import HeldCertificate, KnownModel
from quorate.admission.rules.subject import INIT
from quorate.api.v1alpha1.serving_requirements import Server
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.server_images import SERVERS_SIGNED, fix_of
from quorate.verdict import Denial, Reason


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a pod's images: refused, or not known yet."""

    unsigned: tuple[Denial, ...] = ()
    unread: tuple[Denial, ...] = ()


def unsigned_servers(
    pod: Pod,
    known: KnownModel,
    policies: tuple[CompiledPolicy, ...],
    downloaders: frozenset[str],
    now: datetime | None = None,
) -> Found:
    """The images of ``pod`` that some policy wants signed and the committee did not find so.

    Without ``now``, whether a signature has ended meanwhile is left to a later look.
    """
    asking = [policy for policy in policies if policy.server_signers is not None]
    if not asking:
        return Found()
    digests = dict.fromkeys(
        pods.image_digest(container)
        for path, container in pods.users_containers(pod)
        if not (path.startswith(INIT) and pods.image_digest(container) in downloaders)
    )
    unsigned: list[Denial] = []
    unread: list[Denial] = []
    for policy in asking:
        held = known.certificates.get(policy.ref)
        if held is None or held.policy_digest != policy.digest:
            continue
        for server in policy.spec.model.servers or ():
            if server.digest not in digests or _is_signed(server, held, now):
                continue
            waits = server.digest in held.servers_unread
            (unread if waits else unsigned).append(_denial(policy, server, waits=waits))
    return Found(tuple(dict.fromkeys(unsigned)), tuple(dict.fromkeys(unread)))


def _is_signed(server: Server, held: HeldCertificate, now: datetime | None) -> bool:
    for image in held.servers:
        if image.digest == server.digest:
            return now is None or image.not_after is None or now < image.not_after
    return False


def _denial(policy: CompiledPolicy, server: Server, *, waits: bool) -> Denial:
    if waits:
        message = f"the signatures of server image {server.name} were not read yet"
        reason, fix = Reason.VERIFICATION_PENDING, f"see status.sources of {policy.ref}"
    else:
        message = f"server image {server.name} ({server.digest}) is not signed as the policy asks"
        reason, fix = Reason.SERVER_NOT_SIGNED, fix_of(policy, server)
    return Denial(
        reason,
        message,
        requirement=SERVERS_SIGNED,
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=fix,
    )
