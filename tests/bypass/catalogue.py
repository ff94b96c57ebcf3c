"""Every known class of ways around an admission control, by where it was seen first.

E: what peers' issues and advisories taught about evidence and admission. P: what their CVEs taught.
A test says by ``@pytest.mark.bypass("E05")`` that it tries one; the table shows every class, those
without a test too.
"""

from dataclasses import dataclass
from typing import Literal

Expected = Literal["DENY", "DETECT"]


@dataclass(frozen=True, slots=True)
class BypassClass:
    """One class: what an attacker does, and what stops it."""

    key: str
    title: str
    attack: str
    stop: str
    expected: Expected = "DENY"
    """DETECT: it cannot be prevented, and is found within 30 seconds."""


_EVIDENCE = (
    (
        "ephemeral containers",
        "adds a debugging container to a running model pod by pods/ephemeralcontainers",
        "webhook entry and floor for the subresource: EphemeralContainer, but for an exception",
    ),
    (
        "init containers and native sidecars",
        "serves from an init container or a native sidecar, before or beside the measured server",
        "init containers are downloaders' images only, never a server's; no foreign sidecar",
    ),
    (
        "image volumes",
        "mounts unmeasured weights as another image volume, or the model's by tag",
        "every volume is the model's, by digest, or declared",
    ),
    (
        "update after create",
        "swaps image or labels of an admitted pod, also through its status",
        "UPDATE is judged by what it changes; the floor holds labels in status updates",
    ),
    (
        "opt-in labels",
        "leaves labels off, adds ignore labels, takes the mode label from the namespace",
        "every pod of an enforced namespace is a model pod; the floor guards the mode label",
    ),
    (
        "a container named like the injected one",
        "brings its own quorate-measure and quorate-sidecar",
        "injected containers are compared to the byte by validate and floor",
    ),
    (
        "annotations that weaken",
        "annotates pod and model with ignore and allow options",
        "annotations decide nothing",
    ),
    (
        "a forged verdict",
        "writes Ready, requirements and certificates into a model's status, annotates the pod",
        "webhook and sidecar verify certificates; nobody else removes the gate",
    ),
    (
        "vacuous truth",
        "gets selected by no policy, by its own weak one, or by one that asks for nothing",
        "no policy, or no platform policy that names signers: DENY",
    ),
    (
        "right signature, wrong type",
        "offers a trusted signature over another kind of document",
        "a requirement counts its own type only",
    ),
    (
        "signature by nobody trusted for it",
        "signs by a stranger, by the wrong party, or not at all",
        "signers are named per requirement and verified by every judge",
    ),
    (
        "log entry of another signature",
        "takes the transparency log's entry from another signature",
        "the entry must be about this signature, certificate and payload",
    ),
    (
        "tag resolved twice",
        "names images by tag, to move the tag after verification",
        "what was verified is what runs: digests, or tags pinned to them at admission",
    ),
    (
        "a swallowed error",
        "makes a policy or a condition fail to evaluate, so that it is skipped",
        "an error in one policy or condition is a DENY",
    ),
    (
        "exceptions",
        "writes an exception in its own namespace, or combines two",
        "exceptions count in the protected namespace only, with approvers, one requirement each",
    ),
    (
        "the engine as a confused deputy",
        "has the operator read what the tenant may not",
        "sources name no namespace and no URL; listed registries only; the operator's rights",
    ),
    (
        "caches",
        "relies on a yes, or on a failure, that was remembered under an older policy",
        "what is remembered is keyed by policy digest and generation",
    ),
    (
        "children approved with their parent",
        "keeps a Deployment that was admitted once, and restarts its pods when evidence is gone",
        "every pod is judged itself, at creation and at the removal of its gate",
    ),
    (
        "a webhook that fails open",
        "waits for, or causes, an outage of the webhook",
        "failurePolicy Fail, static configuration, the floor",
    ),
    (
        "configuration deleted",
        "deletes or loosens our webhook configurations",
        "the floor denies pods without us, and guards the configurations",
    ),
    (
        "status or deletion as a disguise",
        "changes the spec with a status update, or while the pod is terminating",
        "every update of spec or labels is judged, a terminating pod's too",
    ),
    (
        "another webhook after ours",
        "has the pod changed by a mutating policy that runs beside ours",
        "validate and floor see the final pod",
    ),
    (
        "workload templates",
        "creates the pod through every kind of controller",
        "judged at the pod",
    ),
    (
        "around the scheduler",
        "presets a node, binds a gated pod, removes the gate",
        "NodeNamePreset, binding checks, the gate is the operator's",
    ),
    (
        "static pods and their mirrors",
        "puts a manifest on a node; or poses as a mirror pod",
        "cannot be prevented on the node: detected; the annotation helps nobody but a node",
        "DETECT",
    ),
    (
        "into the pod, or around the sidecar",
        "exec, attach, port-forward, host namespaces, another port, the pod's address, a name "
        "with another address",
        "connections are refused; host access is refused; the sidecar stands on every address",
    ),
    (
        "fetching at run time",
        "has the server fetch weights, adapters or code by arguments or variables",
        "tables of what each server may be told; what is not listed is refused",
    ),
    (
        "dry run",
        "uses dry runs to consume or to write something",
        "admission has no side effects",
    ),
    (
        "node objects and stale objects",
        "relabels a node as its kubelet; replaces a pod from an old copy",
        "node labels decide nothing; changes are judged against what is stored",
    ),
    (
        "malformed evidence",
        "offers evidence with duplicate keys, wrong types, too many parts, nobody's subject",
        "strict parsers; what cannot be read does not count",
    ),
    (
        "other paths of the API",
        "creates by apply or replace, asks for Exact matching, deletes",
        "matchPolicy Equivalent; every way of writing is judged; DELETE is never blocked",
    ),
    (
        "serving before it is measured",
        "relies on the server to start before verification ended",
        "measuring is an init container; the server starts after it and after the sidecar",
    ),
)
_CVES = (
    (
        "A is checked, B runs",
        "names a certified model and mounts another, or one of the kubelet's files over it",
        "the volume is the model's source; its bytes are hashed on the node; nothing lies over it",
    ),
    (
        "identity matched too loosely",
        "signs as somebody whose name looks like a trusted one",
        "identities are compared exactly",
    ),
    (
        "any attestation is enough",
        "offers evidence of another model, or unreadable evidence",
        "evidence names its manifest; a parse error is a DENY",
    ),
    (
        "threshold counting",
        "counts one signer several times",
        "signers are counted by key material",
    ),
    (
        "expired or rolled back evidence",
        "offers expired evidence, or hides a newer failure",
        "maximum ages; the newest statement decides, and failures are remembered",
    ),
    (
        "selectors and lookups",
        "steps between selectors, out of a stricter policy; names its own server in its own policy",
        "policies intersect, a tenant's allows fewer; labels must not take a pod out of one",
    ),
    (
        "container kinds and subresources",
        "uses resize, envFrom, and kinds of containers, volumes and fields that rules forgot",
        "every kind and subresource is matched; a field that is not known is refused",
    ),
    (
        "stale old object",
        "changes a gated pod in steps, each harmless",
        "the whole new object is judged",
    ),
    (
        "policies that reach out",
        "writes a policy that names a URL or another namespace; uses our accounts' rights",
        "the schema has no such field; accounts hold exactly what they use",
    ),
    (
        "the admission endpoint",
        "calls the webhook itself, from a pod",
        "it only answers: it writes nothing, runs nothing, reads no secret",
    ),
    (
        "exhausting the verifier",
        "sends deep, large and many documents",
        "bounds on everything; other models are judged on",
    ),
    (
        "paths at the proxy",
        "writes paths that proxy and model read differently",
        "declared paths only, compared as they are sent on",
    ),
    (
        "parsers that differ",
        "sends duplicate keys, keys in another case, NaN, broken encodings",
        "strict parse; the model gets what was checked, written anew",
    ),
    (
        "forged log proofs",
        "forges inclusion proof, checkpoint or tree size",
        "proofs are verified against the trusted root",
    ),
)
CLASSES: dict[str, BypassClass] = {
    found.key: found
    for prefix, listed in (("E", _EVIDENCE), ("P", _CVES))
    for number, fields in enumerate(listed, 1)
    for found in (BypassClass(f"{prefix}{number:02}", *fields),)  # type: ignore[arg-type]
}
"""All 46, by key."""
