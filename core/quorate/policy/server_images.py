"""Which of a policy's server images did its ``serverSigners`` sign? By the rules of models.

Each image is judged by itself: one that is unsigned takes nothing from the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from quorate.api.v1alpha1.serving_requirements import Server
from quorate.canonical import digest_of, parse, parse_object
from quorate.certificate import ServerImage
from quorate.errors import QuorateError
from quorate.evidence.image_signing import (
    COSIGN_SIGN_TYPE,
    ImageSignature,
    SignedImage,
    verify_image,
)
from quorate.evidence.signatures import (
    Context,
    SignedBy,
    SignerSet,
    claimed_payload,
    distinct,
    holds_until,
    parse_bundle,
)
from quorate.keys import load_public_key
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.denials import denial
from quorate.policy.requirement import Requirement
from quorate.verdict import Reason

SERVERS_SIGNED = "ServersSigned"
_PROBLEM_CHARS = 300


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A server image that too few signed, and why."""

    server: Server
    why: str


@dataclass(frozen=True, slots=True)
class ServerImages:
    """How the images of one policy stand; each is in exactly one of the three."""

    signed: tuple[ServerImage, ...] = ()
    unsigned: tuple[Unsigned, ...] = ()
    unread: tuple[str, ...] = ()
    """Digests of which it is not known yet, and what is known is not enough."""
    shown_by: tuple[str, ...] = ()
    """Digests of the bundles that show what is signed, no more than it takes."""

    @property
    def not_after(self) -> datetime | None:
        """When the first image is not signed any more; None if that does not happen by itself."""
        return min((i.not_after for i in self.signed if i.not_after is not None), default=None)


NOT_ASKED = ServerImages()


def judge_servers(policy: CompiledPolicy, context: Context) -> ServerImages:
    """Verify the signatures of every image the policy names; nothing if it asks for none."""
    signers = policy.server_signers
    if signers is None:
        return NOT_ASKED
    marks = _names(policy, signers)
    signed: dict[str, ServerImage] = {}
    unsigned: dict[str, Unsigned] = {}
    shown_by: set[str] = set()
    for server in policy.spec.model.servers or ():
        # Two entries may be about one image: what is inside either of them counts.
        bundles = tuple(_bundles(policy, server.digest))
        try:
            found = [ImageSignature(bundle=bundle) for bundle in bundles]
            image = verify_image(found, server.digest, signers, context)
        except QuorateError as error:
            unsigned[server.digest] = Unsigned(server, str(error)[:_PROBLEM_CHARS])
            continue
        counting = _least(image, signers.threshold)
        by = (next(marks[m] for m in sorted(one.marks) if m in marks) for _, one in counting)
        until = holds_until((one for _, one in counting), signers.threshold)
        signed[server.digest] = ServerImage(server.digest, tuple(sorted(by)), until)
        shown_by |= {digest_of(parse(bundles[position])) for position, _ in counting}
    unread = policy.fetched.unread & set(unsigned)
    return ServerImages(
        tuple(signed[digest] for digest in sorted(signed)),
        tuple(one for digest, one in unsigned.items() if digest not in unread),
        tuple(sorted(unread)),
        tuple(sorted(shown_by)),
    )


def requirement(policy: CompiledPolicy, images: ServerImages) -> Requirement:
    """Holds unless it is known that no image is signed: then no pod could run anyway."""
    names = {server.digest: server.name for server in policy.spec.model.servers or ()}
    parts = [
        ("signed", [f"{names[i.digest]} (by {', '.join(i.signed_by)})" for i in images.signed]),
        ("not known yet", [names[digest] for digest in images.unread]),
        ("not signed", [f"{one.server.name}: {one.why}" for one in images.unsigned]),
    ]
    text = "; ".join(f"{title}: {', '.join(found)}" for title, found in parts if found)
    if images.signed or images.unread:
        return Requirement(SERVERS_SIGNED, None, images.shown_by, note=text)
    fix = fix_of(policy, images.unsigned[0].server)
    refused = denial(policy, SERVERS_SIGNED, Reason.SERVER_NOT_SIGNED, text, fix)
    return Requirement(SERVERS_SIGNED, refused)


def fix_of(policy: CompiledPolicy, server: Server) -> str:
    """The command that signs a server's image for this policy."""
    if server.signature_repository:
        return (
            f"cosign sign {server.signature_repository}@{server.digest} as one of serverSigners "
            "(docs/howto/sign-server-images.md)"
        )
    return (
        f"kubectl quorate sign --image {server.digest} --key KEY --out BUNDLE, then add the bundle "
        f"to {policy.ref}.spec.model.servers[{server.name}].signatures"
    )


def _bundles(policy: CompiledPolicy, digest: str) -> Iterator[bytes]:
    """What may be a signature of the image, each once; what says something else is left out."""
    inline = (
        signature.bundle
        for server in policy.spec.model.servers or ()
        if server.digest == digest
        for signature in server.signatures
    )
    found = dict.fromkeys([*inline, *policy.fetched.of(digest)])
    for bundle in found:
        data = bundle.encode("utf-8", "surrogatepass")
        if not _says_else(data):
            yield data


def _says_else(data: bytes) -> bool:
    """Whether this is a statement of another type, such as a provenance beside the signatures."""
    try:
        statement = parse_object(claimed_payload(parse_bundle(data)), what="statement")
    except QuorateError:
        return False  # it fails with its reason when it is verified
    return statement.get("predicateType") != COSIGN_SIGN_TYPE


def _least(image: SignedImage, threshold: int) -> list[tuple[int, SignedBy]]:
    """One signature a person, those that last longest, and no more than must be."""
    positions = {id(one): n for n, one in zip(image.counted, image.signatures, strict=True)}

    def lasts(one: SignedBy) -> float:
        return one.not_after.timestamp() if one.not_after else float("inf")

    people = [max(group, key=lasts) for group in distinct(image.signatures)]
    people.sort(key=lasts, reverse=True)
    return [(positions[id(one)], one) for one in people[:threshold]]


def _names(policy: CompiledPolicy, signers: SignerSet) -> dict[str, str]:
    """What the policy calls each signer, by what its signatures have in common."""
    asked = policy.spec.model.server_signers
    keys = asked.keys if asked else ()
    return {
        **{load_public_key(key.public_key).key_id: f"keys/{key.name}" for key in keys},
        **{one.mark: f"certificates/{one.name}" for one in signers.certificates},
        **{one.mark: f"keyless/{one.name}" for one in signers.keyless},
    }
