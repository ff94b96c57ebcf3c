"""Server images that a policy wants signed: who signed each, as the committee certified it.

What lies in a registry is not fetched here. The certificate names the signers, and only one that
verifies is believed; what stands inside the policy is verified again.
"""

from datetime import datetime

from quorate.admission.model import KnownModel
from quorate.evidence.signatures import Context
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.server_images import ServerImages, judge_servers
from quorate_cli.explain.explanation import ImageLine
from quorate_sigstore import OfflineSigstore


def image_lines(
    policy: CompiledPolicy, known: KnownModel | None, now: datetime
) -> tuple[ImageLine, ...]:
    """Every image of the policy; nothing if it asks for no signatures."""
    if policy.server_signers is None:
        return ()
    held = known.certificates.get(policy.ref) if known else None
    if held and held.policy_digest == policy.digest and now < held.expires_at:
        said = ServerImages(signed=held.servers, unread=held.servers_unread)
        certified = True
    else:
        said = judge_servers(policy, Context(now, OfflineSigstore()))
        certified = False
    signed = {image.digest: image for image in said.signed}
    why = {one.server.digest: one.why for one in said.unsigned}
    lines = []
    for server in policy.spec.model.servers or ():
        image = signed.get(server.digest)
        counts = image is not None and (image.not_after is None or now < image.not_after)
        # Without a certificate, nobody here knows what lies in the registry.
        waits = server.digest in said.unread or bool(
            not counts and not certified and server.signature_repository
        )
        lines.append(
            ImageLine(
                name=server.name,
                digest=server.digest,
                signed=None if waits else counts,
                signed_by=image.signed_by if image and counts else (),
                counts_until=image.not_after if image else None,
                place=server.signature_repository or "",
                message="" if waits else why.get(server.digest, ""),
            )
        )
    return tuple(lines)
