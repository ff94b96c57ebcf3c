"""A compiled policy: what a SafetyPolicy or ClusterSafetyPolicy means, checked and digested."""

from dataclasses import dataclass

from quorate import limits, names
from quorate.api.v1alpha1.meta import Owners
from quorate.api.v1alpha1.safety_policy import (
    AnyPolicy,
    ClusterSafetyPolicySpec,
    LabelSelector,
    Mode,
    ModelRequirements,
    SafetyPolicySpec,
)
from quorate.api.v1alpha1.signers import Signers
from quorate.canonical import digest_of
from quorate.certificate import PolicyRef
from quorate.errors import InvalidInput
from quorate.evidence.model_signing import Accepted
from quorate.evidence.oci import parse_reference
from quorate.evidence.signatures import SignerSet
from quorate.policy.accepted_signers import signer_set
from quorate.policy.compiled_gate import CompiledGate, compile_gate
from quorate.policy.fetched import NOTHING_FETCHED, FetchedSignatures
from quorate.policy.runtime import CHECKS
from quorate.policy.votes import risk_table, voting
from quorate.risk.route import Voting
from quorate.risk.rules import RiskTable


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy that can be evaluated. ``digest`` covers its identity and everything it says."""

    ref: PolicyRef
    digest: str
    spec: SafetyPolicySpec
    signers: SignerSet | None
    gates: tuple[CompiledGate, ...]
    approvers: SignerSet | None = None
    """Who may approve exceptions. Only a cluster policy has any."""
    server_signers: SignerSet | None = None
    risk: RiskTable | None = None
    voting: Voting | None = None
    fetched: FetchedSignatures = NOTHING_FETCHED
    """Only a member has any; the digest does not cover it."""

    @property
    def judged_by(self) -> tuple[str, str]:
        """What a judgement under this policy depends on: what it says, and what was fetched."""
        return self.digest, self.fetched.version

    @property
    def is_cluster(self) -> bool:
        """True for the platform's floor."""
        return self.ref.kind == "ClusterSafetyPolicy"

    @property
    def mode(self) -> Mode:
        """The mode as written; a namespace's label may be stricter."""
        return self.spec.mode

    @property
    def accepted(self) -> Accepted:
        """What a signature may leave out, and the shards it may be over."""
        model = self.spec.model
        return Accepted(tuple(model.ignore_paths), tuple(model.shard_sizes))

    @property
    def owners(self) -> Owners | None:
        """Who answers for what the policy asks."""
        return self.spec.owners

    @property
    def safety_contact(self) -> str:
        """Name and contact of the safety owner, for denials; empty if the policy names none."""
        owner = self.spec.owners.safety if self.spec.owners else None
        return f"{owner.name} <{owner.contact}>" if owner else ""

    @property
    def exempt(self) -> frozenset[str]:
        """Digests of the images that need no model. Only a cluster policy has any."""
        if not isinstance(self.spec, ClusterSafetyPolicySpec):
            return frozenset()
        return frozenset(image.digest for image in self.spec.exempt_images)


def compile_policy(policy: AnyPolicy) -> CompiledPolicy:
    """Check everything the schema cannot say; raise InvalidInput naming the field.

    Source: design, section 2 (SafetyPolicy).
    """
    spec = policy.spec
    where = policy.ref
    if spec.mode is Mode.ENFORCE and spec.owners is None:
        raise InvalidInput("must be set when mode is Enforce", field=f"{where}.spec.owners")
    _check_selector(spec.selector, f"{where}.spec.selector")
    _check_unique([gate.name for gate in spec.model.gates], f"{where}.spec.model.gates")
    _check_unique([check.name for check in spec.runtime.checks], f"{where}.spec.runtime.checks")
    _check_servers(spec.model, f"{where}.spec.model")
    for check in spec.runtime.checks:
        if check.name not in CHECKS:
            raise InvalidInput(f"no check is named {check.name}", field=f"{where}.spec.runtime")
    model = spec.model
    pinned = {(server.image, server.digest) for server in model.servers or () if server.image}
    _check_unique(sorted(image for image, _ in pinned), f"{where}.spec.model.servers[].image")
    namespace = policy.metadata.namespace if policy.namespaced else None
    ref = PolicyRef(kind=policy.kind_name, namespace=namespace, name=policy.metadata.name)
    return CompiledPolicy(
        ref=ref,
        digest=_digest(ref, spec),
        spec=spec,
        signers=(
            signer_set(model.signers, f"{where}.spec.model.signers") if model.signers else None
        ),
        gates=tuple(
            compile_gate(gate, f"{where}.spec.model.gates[{gate.name}]") for gate in model.gates
        ),
        approvers=_approvers(spec, f"{where}.spec.exceptions"),
        server_signers=(
            signer_set(model.server_signers, f"{where}.spec.model.serverSigners")
            if model.server_signers
            else None
        ),
        risk=risk_table(
            spec.runtime.risk, f"{where}.spec.runtime.risk", platform=not policy.namespaced
        ),
        voting=voting(
            spec.consensus,
            spec.holds if isinstance(spec, ClusterSafetyPolicySpec) else None,
            f"{where}.spec",
        ),
    )


def _approvers(spec: SafetyPolicySpec, where: str) -> SignerSet | None:
    if not isinstance(spec, ClusterSafetyPolicySpec) or spec.exceptions is None:
        return None
    listed = spec.exceptions
    return signer_set(Signers(threshold=listed.threshold, keys=listed.keys), where)


def _check_servers(model: ModelRequirements, where: str) -> None:
    # The schema says the same; policies also come from files and from before an upgrade.
    servers = model.servers or []
    if model.server_signers is None:
        for server in servers:
            if server.signatures or server.signature_repository:
                field = f"{where}.serverSigners"
                raise InvalidInput(f"must be set: {server.name} has signatures", field=field)
        return
    if not servers:
        raise InvalidInput("must be set with serverSigners", field=f"{where}.servers")
    if len(servers) * model.server_signers.threshold > limits.SERVER_SIGNERS:
        message = f"times serverSigners.threshold must be at most {limits.SERVER_SIGNERS}"
        raise InvalidInput(message, field=f"{where}.servers")
    _check_unique([server.name for server in servers], f"{where}.servers")
    for server in servers:
        if server.signature_repository:
            reference = f"{server.signature_repository}@{server.digest}"
            try:
                parse_reference(reference)
            except InvalidInput as error:
                field = f"{where}.servers[{server.name}].signatureRepository"
                raise InvalidInput(error.message, field=field) from None


def _digest(ref: PolicyRef, spec: SafetyPolicySpec) -> str:
    said = spec.model_dump(mode="json", by_alias=True)
    # As it was before there were any: an upgrade must not void what was certified.
    for holder, name in (
        (said, "exceptions"),
        (said, "consensus"),
        (said, "holds"),
        (said["runtime"], "risk"),
    ):
        if holder.get(name) is None:
            holder.pop(name, None)
    for volume in said["model"]["volumes"] or ():
        if volume["mountPath"] is None:
            del volume["mountPath"]
    if said["model"]["serverSigners"] is None:
        del said["model"]["serverSigners"]
        for server in said["model"]["servers"] or ():
            # Without serverSigners neither may be set.
            del server["signatures"], server["signatureRepository"]
    return digest_of(
        {
            "apiVersion": names.API_VERSION,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "spec": said,
        }
    )


def _check_selector(selector: LabelSelector, where: str) -> None:
    for expression in selector.match_expressions:
        takes_values = expression.operator in ("In", "NotIn")
        if takes_values != bool(expression.values):
            need = "must have values" if takes_values else "must not have values"
            raise InvalidInput(
                f"{need} with operator {expression.operator}", field=f"{where}.{expression.key}"
            )


def _check_unique(names_: list[str], where: str) -> None:
    for name in names_:
        if names_.count(name) > 1:
            raise InvalidInput(f"{name} is listed twice", field=where)


def selects(selector: LabelSelector, labels: dict[str, str]) -> bool:
    """Whether a label selector selects an object with these labels, as Kubernetes does it."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    for expression in selector.match_expressions:
        value = labels.get(expression.key)
        present = value is not None
        holds = {
            "In": present and value in expression.values,
            # Kubernetes: NotIn also selects objects without the label.
            "NotIn": not present or value not in expression.values,
            "Exists": present,
            "DoesNotExist": not present,
        }[expression.operator]
        if not holds:
            return False
    return True


def may_select(selector: LabelSelector, model: str) -> bool:
    """Whether some pod of this model could be selected: only the model's own label is known."""
    about_model = LabelSelector(
        match_labels={k: v for k, v in selector.match_labels.items() if k == names.MODEL_LABEL},
        match_expressions=[e for e in selector.match_expressions if e.key == names.MODEL_LABEL],
    )
    return selects(about_model, {names.MODEL_LABEL: model})
