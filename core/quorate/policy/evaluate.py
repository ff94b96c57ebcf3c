"""Does this model's evidence hold this policy, now? The decision every member makes for itself.

Monotonic: a requirement holds only if a valid document shows it, whatever else is valid; and a
FAILED result at least as new as the newest PASSED one denies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.safety_exception import SIGNER_THRESHOLD
from quorate.canonical import digest_of, parse
from quorate.errors import QuorateError, SignatureError
from quorate.evidence.intoto import Document, read_document
from quorate.evidence.model_signing import verify_bundles
from quorate.evidence.signatures import Context, SignerSet
from quorate.manifest import Manifest
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.denials import denial
from quorate.policy.exceptions import NOTHING, Lifted, without
from quorate.policy.gates import Failure, Reading, judge_gate
from quorate.policy.requirement import Requirement
from quorate.policy.server_images import NOT_ASKED, ServerImages, judge_servers
from quorate.policy.server_images import requirement as servers_signed
from quorate.policy.verifier import Verifier
from quorate.ports import Sigstore
from quorate.verdict import Reason, Verdict

SIGNED = "Signed"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every requirement of one policy for one model, and the manifest the signatures name."""

    requirements: tuple[Requirement, ...]
    manifest: Manifest | None
    failures: tuple[Failure, ...] = ()
    """The newest verified statement that fails a gate, for each; the gate may be passed since."""
    servers: ServerImages = NOT_ASKED
    """Which server images are signed, if the policy asks."""

    @property
    def verdict(self) -> Verdict:
        """Allowed only if every requirement holds."""
        return Verdict(tuple(r.denial for r in self.requirements if r.denial is not None))

    @property
    def evidence(self) -> tuple[str, ...]:
        """Digests of all documents that were needed, sorted."""
        return tuple(sorted({digest for r in self.requirements for digest in r.shown_by}))

    @property
    def not_after(self) -> datetime | None:
        """When the first requirement stops holding by age; None if none ages."""
        ends = [r.not_after for r in self.requirements if r.not_after is not None]
        return min(ends, default=None)


def evaluate(
    policy: CompiledPolicy,
    model: AttestedModel,
    now: datetime,
    remembered: Sequence[Document] = (),
    sigstore: Sigstore | None = None,
    lifted: Mapping[str, Lifted] = NOTHING,
    servers: ServerImages | None = None,
) -> Evaluation:
    """Judge ``model`` under ``policy``. Never raises for evidence: what is wrong is a denial.

    A policy that names no signers still needs one that does (see quorate.policy.intersect); here
    its signature requirement is absent, not met. ``remembered`` are statements that failed this
    model before: they count against it although it may no longer carry them. Without ``sigstore``,
    keyless signatures and trusted timestamps count for nothing. ``lifted`` are the requirements
    of this policy that need not hold for this model (see quorate.policy.exceptions). ``servers``:
    how the policy's images stand, if that was judged already, as it is the same for every model.
    """
    context = Context(now, sigstore)
    requirements: list[Requirement] = []
    manifest: Manifest | None = None
    if policy.signers is not None:
        signed, manifest = _signed(policy, model, context, lifted.get(SIGNER_THRESHOLD))
        requirements.append(signed)
    images = servers or judge_servers(policy, context)
    if policy.server_signers is not None:
        requirements.append(servers_signed(policy, images))
    readings = [_read(evidence.envelope) for evidence in model.spec.evidence]
    verifier = Verifier(context)
    gates = [
        judge_gate(policy, gate, model, readings, remembered, verifier) for gate in policy.gates
    ]
    return Evaluation(
        (*requirements, *(without(requirement, lifted) for requirement, _ in gates)),
        manifest,
        tuple(failure for _, failure in gates if failure is not None),
        images,
    )


def _read(envelope: str) -> Reading:
    try:
        return read_document(envelope.encode("utf-8"))
    except QuorateError as error:
        return error


def _signed(
    policy: CompiledPolicy, model: AttestedModel, context: Context, lifted: Lifted | None
) -> tuple[Requirement, Manifest | None]:
    """Whether enough signed; if not and somebody lifts the threshold, whether anybody did."""
    assert policy.signers is not None  # noqa: S101 - the caller looked
    found, manifest = _signed_by(policy, policy.signers, model, context)
    if lifted is None or found.denial is None:
        return found, manifest
    fewer, manifest = _signed_by(policy, policy.signers.needing(1), model, context)
    if fewer.denial is not None:
        return found, None
    shown_by = (*fewer.shown_by, lifted.digest)
    until = min(lifted.not_after, fewer.not_after or lifted.not_after)
    return Requirement(SIGNED, None, shown_by, until, lifted.exception), manifest


def _signed_by(
    policy: CompiledPolicy, signers: SignerSet, model: AttestedModel, context: Context
) -> tuple[Requirement, Manifest | None]:
    spec = model.spec
    fix = f"quorate sign DIR --key KEY, then add the bundle to {model.ref}.spec.signatures"

    def denied(reason: Reason, message: str) -> tuple[Requirement, None]:
        return Requirement(SIGNED, denial(policy, SIGNED, reason, message, fix)), None

    if not spec.signatures:
        return denied(Reason.NOT_SIGNED, "the model has no signature")
    bundles = [signature.bundle.encode("utf-8") for signature in spec.signatures]
    try:
        signed = verify_bundles(bundles, signers, context, accepted=policy.accepted)
    except SignatureError as error:
        return denied(Reason.SIGNER_NOT_TRUSTED, str(error))
    except QuorateError as error:
        return denied(Reason.SIGNATURE_INVALID, str(error))
    if signed.manifest.digest != spec.manifest_digest:
        return denied(
            Reason.MANIFEST_MISMATCH,
            f"the signatures are for {signed.manifest.digest}, "
            f"spec.manifestDigest says {spec.manifest_digest}",
        )
    shown_by = tuple(digest_of(parse(bundles[index])) for index in signed.counted)
    until = signed.holds_until(signers.threshold)
    return Requirement(SIGNED, None, shown_by, until), signed.manifest
