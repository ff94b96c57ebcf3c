"""Remedies for evidence: sign, run a gate, apply the model again."""

from shlex import quote

from quorate import names
from quorate.admission import pods
from quorate.api.v1alpha1.signers import Signers
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.compiled_gate import CompiledGate
from quorate.predicates import PredicateUri
from quorate.verdict import Denial, Reason
from quorate_cli.explain.explanation import Remedy
from quorate_cli.explain.remedies.context import Context, edit_policy

BUNDLE = "model.bundle.json"
IMAGE_BUNDLE = "image.bundle.json"
SIGN = f"kubectl quorate sign DIR --key KEY --out {BUNDLE}"


def model_manifest(context: Context) -> str:
    """The command that writes and applies the AttestedModel, with what it says already."""
    parts = ["kubectl quorate model manifest", f"--name {quote(context.model_name or 'NAME')}"]
    parts += [f"--namespace {quote(context.namespace)}", f"--bundle {BUNDLE}"]
    parts += [f"--gate {quote(_gate_file(name))}" for name in _gate_names(context)]
    parts += _source(context)
    model = context.model
    if model is not None:
        if model.spec.version:
            parts.append(f"--version {quote(model.spec.version)}")
        parts += [f"--dataset {quote(f'{d.id}={d.digest}')}" for d in model.spec.datasets]
    parts += _owners(context)
    return f"{' '.join(parts)} | kubectl apply -f -"


def _source(context: Context) -> list[str]:
    """Where the bytes are: as the model says, or as the pod's only image volume does."""
    if context.model is not None:
        source = context.model.spec.source
        if source.image is not None:
            return [f"--source-image {quote(source.image.reference)}"]
        if source.persistent_volume_claim is not None:
            return [f"--source-pvc {quote(source.persistent_volume_claim.claim_name)}"]
        if source.directory is not None:
            return [f"--source-directory {quote(source.directory.volume_name)}"]
        if source.host_path is not None:
            return [f"--source-host-path {quote(source.host_path.path)}"]
    volumes = pods.volumes(context.pod) if context.pod else []
    images = [v["image"].get("reference", "") for v in volumes if v.get("image")]
    reference = images[0] if len(images) == 1 else "REPOSITORY@sha256:DIGEST"
    return [f"--source-image {quote(str(reference))}"]


def _owners(context: Context) -> list[str]:
    """Owners are required where the namespace enforces; the policies' are a good guess."""
    known = [context.model.spec.owners if context.model else None]
    known += [policy.spec.owners for policy in context.policies]
    owners = next((item for item in known if item is not None), None)
    if owners is None:
        return [f"--owner-{party} TEAM=CONTACT" for party in ("model", "safety", "infra")]
    return [
        f"--owner-{party} {quote(f'{owner.name}={owner.contact}')}"
        for party in ("model", "safety", "infra")
        for owner in (getattr(owners, party),)
    ]


def gates_run(context: Context) -> tuple[str, ...]:
    """A command a gate that the policies ask for, over a model that was just signed."""
    gates = {gate.spec.name: gate for policy in context.policies for gate in policy.gates}
    return tuple(
        f"{_signing(gate)} --model DIR --key KEY --out {quote(_gate_file(name))}"
        for name, gate in gates.items()
    )


def _signing(gate: CompiledGate | None) -> str:
    """The command that signs what a gate asks for, without model, key and output."""
    kind = gate.spec.predicate_type if gate else PredicateUri.TEST_RESULT
    if gate and kind is PredicateUri.APPROVAL:
        return f"kubectl quorate approve --gate {quote(gate.spec.name)} --reason REASON"
    if kind is PredicateUri.TEST_RESULT:
        return "kubectl quorate gate --report REPORT.json"
    return f"kubectl quorate gate --predicate FILE.json --type {kind}"


def _gate_names(context: Context) -> list[str]:
    names_ = (gate.spec.name for policy in context.policies for gate in policy.gates)
    return list(dict.fromkeys(names_))


def _gate_file(name: str) -> str:
    return f"gate-{name}.json"


def signed(denial: Denial, context: Context) -> Remedy:
    """Sign with keys that count, and put the bundles into the model."""
    policy = context.policy(denial.policy)
    text = "sign the model"
    if policy is not None and policy.spec.model.signers is not None:
        signers = policy.spec.model.signers
        text += f" as {signers.threshold} of these signers of {policy.ref}: {_names(signers)}"
        if signers.threshold > 1:
            text += "; run sign once a signer, and give model manifest each bundle"
    if denial.reason is Reason.SIGNATURE_INVALID:
        text += "; replace the bundle that cannot be read"
    return Remedy(text=text, commands=(SIGN, model_manifest(context)))


def _names(signers: Signers) -> str:
    """What a policy calls its signers; how each signs, unless by key."""
    names_ = [key.name for key in signers.keys]
    names_ += [f"{item.name} (certificate)" for item in signers.certificates]
    names_ += [f"{item.name} (keyless)" for item in signers.keyless]
    return ", ".join(names_)


def server_signed(denial: Denial, context: Context) -> Remedy:
    """Have the image signed, and its signature where the policy looks for it."""
    policy = context.policy(denial.policy)
    model = policy.spec.model if policy else None
    text = "have the image signed, or use one that is"
    if model is not None and model.server_signers is not None:
        signers = model.server_signers
        text += f": {denial.policy} wants {signers.threshold} of {_names(signers)}"
    server = next(
        (s for s in (model.servers or () if model else ()) if s.digest in denial.message), None
    )
    repository = server.signature_repository if server else None
    image = f"{repository or 'REPOSITORY'}@{server.digest if server else 'sha256:DIGEST'}"
    commands = [f"kubectl quorate sign --image {image} --key KEY --out {IMAGE_BUNDLE}"]
    if repository:
        commands.append(f"kubectl quorate push {image} --bundle {IMAGE_BUNDLE}")
    elif policy is not None and server is not None:
        text += f"; the bundle goes into model.servers[{server.name}].signatures"
        commands.append(edit_policy(policy.ref))
    return Remedy(text=text, commands=tuple(commands))


def other_manifest(denial: Denial, context: Context) -> Remedy:
    """The object names another model than its signatures do: let it be written from them."""
    text = "spec.manifestDigest is not what was signed: write the object from the bundle again"
    return Remedy(text=text, commands=(model_manifest(context),))


def gated(denial: Denial, context: Context) -> Remedy:
    """Run the gate, sign its result for this model, and put it into the model."""
    policy = context.policy(denial.policy)
    gate = _gate(policy, denial.requirement)
    name = gate.spec.name if gate else "NAME"
    digest = context.model.spec.manifest_digest if context.model else "sha256:DIGEST"
    sign = f"{_signing(gate)} --manifest-digest {digest} --key KEY --out {quote(_gate_file(name))}"
    first = {
        Reason.GATE_FAILED: "the model failed: mend it, sign it anew and run the gate again; "
        "a result that passes must be newer than the one that failed",
        Reason.GATE_EXPIRED: "run the gate again: the result is too old",
        Reason.GATE_OTHER_MODEL: "run the gate on this model: the result is about another one",
        Reason.GATE_OTHER_SUITE: "run the gate with what the policy accepts",
        Reason.GATE_OTHER_SCOPE: "have it approved for this gate and namespace",
        Reason.GATE_UNTRUSTED: "have the result signed by a producer the policy accepts",
        Reason.EVIDENCE_MALFORMED: "replace the statement: it cannot be read",
    }.get(denial.reason, "run the gate and sign its result")
    return Remedy(text=f"{first}{_accepts(gate)}", commands=(sign, model_manifest(context)))


def _gate(policy: CompiledPolicy | None, requirement: str) -> CompiledGate | None:
    gates = policy.gates if policy else ()
    return next((gate for gate in gates if gate.requirement == requirement), None)


def _accepts(gate: CompiledGate | None) -> str:
    """What would be accepted, so that nobody has to look it up."""
    if gate is None:
        return ""
    spec = gate.spec
    keys = _names(spec.producers)
    accepted = [gate.type.title]
    accepted += [f"suite {' or '.join(spec.suites)}"] if spec.suites else []
    accepted += [f"dataset {' or '.join(spec.datasets)}"] if spec.datasets else []
    accepted += [f"harness {' or '.join(spec.harnesses)}"] if spec.harnesses else []
    accepted += [f"for which {spec.condition}"] if spec.condition else []
    accepted += [f"about {spec.applies_to}"] if spec.applies_to else []
    accepted.append(f"signed by {spec.producers.threshold} of {keys}")
    accepted.append(f"no older than {spec.max_age_seconds} s")
    return f" (accepted: {', '.join(accepted)})"


def waited(denial: Denial, context: Context) -> Remedy:
    """Nothing is missing but the committee's answer."""
    return Remedy(
        text="nothing to mend: the committee is being asked; it answers within seconds",
        commands=(
            f"kubectl wait {context.model_ref} --for=condition=Ready --timeout=120s",
            "kubectl quorate doctor",
        ),
    )


def certified(denial: Denial, context: Context) -> Remedy:
    """The evidence decides first; if it holds, the operator or the member is behind."""
    return Remedy(
        text="once every requirement above holds, the committee certifies within seconds; if they "
        "all hold already, operator or member are behind",
        commands=(
            f"kubectl wait {context.model_ref} --for=condition=Ready --timeout=120s",
            "kubectl quorate doctor",
            f"kubectl logs -n {names.NAMESPACE} deployment/{names.OPERATOR_ACCOUNT} --tail=50",
        ),
    )


def renewed(denial: Denial, context: Context) -> Remedy:
    """What is signed is out of date or withdrawn; whoever renews it must be looked at."""
    return Remedy(
        text=denial.fix or "the committee must answer again; see whether it can",
        commands=("kubectl quorate doctor", f"kubectl get {context.model_ref} -o yaml"),
    )
