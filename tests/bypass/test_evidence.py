"""Evidence that must not count: each offered on the real API server and judged by the member."""

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from quorate import names
from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome
from quorate.evidence.model_signing import sign_model, statement_of
from quorate.keys import LocalSigner
from quorate.manifest import Manifest, manifest
from quorate.predicates import PredicateUri
from tests.bypass.ground import Document, Ground, denied
from tests.e2e.tenant import condition, eventually
from tests.fakes.authorities import Authority, pem
from tests.fakes.predicates import predicate
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import bundle, evidence, policy, signer, signers

SIGNED = ("NotSigned", "SignerNotTrusted", "SignatureInvalid", "EvidenceMalformed")
GATED = ("GateMissing", "GateProducerNotTrusted", "EvidenceMalformed", "GateFailed")
HOUR = timedelta(hours=1)


def now() -> datetime:
    """The cluster's time."""
    return datetime.now(UTC).replace(microsecond=0)


def files(ground: Ground) -> Manifest:
    """What the good model's files are."""
    return ground.tenant.models["good"].files


def signed(ground: Ground, name: str, *bundles: str) -> Document:
    """The good model with other signatures."""
    listed = [{"name": f"s{i}", "bundle": text} for i, text in enumerate(bundles)]
    return ground.attested(name, signatures=listed)


def gated(ground: Ground, name: str, *envelopes: str) -> Document:
    """The good model with other evidence."""
    listed = [{"name": f"e{i}", "envelope": text} for i, text in enumerate(envelopes)]
    return ground.attested(name, evidence=listed)


def tampered(text: str, path: tuple[Any, ...], value: Any) -> str:
    """A JSON text with one place set."""
    document = json.loads(text)
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(document)


@contextmanager
def asking(ground: Ground, purpose: str, spec: Document, *models: str) -> Iterator[None]:
    """A further platform policy that is about these models only."""
    name = f"{ground.namespace}-{purpose}"
    named = {"key": names.MODEL_LABEL, "operator": "In", "values": list(models)}
    document = policy(
        {"model": spec},
        name=name,
        selector={"matchLabels": ground.tenant.labels, "matchExpressions": [named]},
    )
    del document["metadata"]["uid"], document["metadata"]["generation"]
    ground.put(document)
    try:
        yield
    finally:
        ground.tenant.cluster.kubectl("delete", "clustersafetypolicy", name)


@pytest.mark.bypass("E10")
def test_class_e10_right_signature_wrong_type(ground: Ground) -> None:
    """A trusted key's signature counts for the document it is under, and for no other."""
    tenant, model = ground.tenant, files(ground)
    gate = tenant.gate(model)
    svr = evidence(model, PredicateUri.SVR, predicate(PredicateUri.SVR), tenant.lab)
    oms = json.dumps(json.loads(bundle(model, tenant.lab))["dsseEnvelope"])
    owner_gate = tenant.gate(model, by=tenant.owner)
    ground.never_certified(
        {
            "a gate as a signature": (signed(ground, "e10-a", owner_gate), SIGNED),
            "another predicate": (gated(ground, "e10-b", svr), GATED),
            "a signature as a gate": (gated(ground, "e10-c", oms), GATED),
            "a gate under another media type": (
                gated(ground, "e10-d", tampered(gate, ("payloadType",), "text/plain")),
                GATED,
            ),
        }
    )


@pytest.mark.bypass("E11")
def test_class_e11_signature_by_nobody_trusted_for_it(ground: Ground) -> None:
    """Strangers, the wrong party, nobody, and a signature that is none."""
    tenant, model = ground.tenant, files(ground)
    gate, good = tenant.gate(model), bundle(model, tenant.owner)
    zero = base64.b64encode(bytes(70)).decode()
    ground.never_certified(
        {
            "a stranger": (signed(ground, "e11-a", bundle(model, signer())), SIGNED),
            "the lab signs the model": (signed(ground, "e11-b", bundle(model, tenant.lab)), SIGNED),
            "the owner runs the gate": (
                gated(ground, "e11-c", tenant.gate(model, by=tenant.owner)),
                GATED,
            ),
            "no signature": (gated(ground, "e11-d", tampered(gate, ("signatures",), [])), GATED),
            "zeros": (
                gated(ground, "e11-e", tampered(gate, ("signatures", 0, "sig"), zero)),
                GATED,
            ),
            "zeros over the model": (
                signed(
                    ground, "e11-f", tampered(good, ("dsseEnvelope", "signatures", 0, "sig"), zero)
                ),
                SIGNED,
            ),
            "nothing": (signed(ground, "e11-g"), SIGNED),
        }
    )


def instance() -> Instance:
    """A private Sigstore whose certificates are of today."""
    authority = Authority("sigstore.test", None, now() - 30 * 24 * HOUR, now() + 30 * 24 * HOUR)
    return Instance(authority=authority)


def keyless(trusted: Instance) -> Document:
    """Signers: one identity, exactly."""
    identity = {"name": "ci", "identity": IDENTITY, "issuer": ISSUER}
    return {"signers": {"keyless": [identity], "trustedRoot": trusted.trusted_root}}


def both(ground: Ground, name: str, bundle_: Document) -> Document:
    """Signed by the owner, and by this keyless bundle."""
    return signed(ground, name, bundle(files(ground), ground.tenant.owner), json.dumps(bundle_))


@pytest.mark.bypass("E12", "P02", "P14")
def test_class_e12_p02_p14_log_entries_identities_and_proofs(ground: Ground) -> None:
    """Keyless: an entry of another signature, a lookalike's certificate, and forged proofs do not
    count; the honest one does."""
    trusted = instance()
    statement = statement_of(files(ground), "demo").encode()
    at = now() - HOUR
    good = trusted.sign(statement, at=at)
    other = trusted.sign(b'{"another":"payload"}', at=at)
    again = trusted.sign(statement, at=at)
    entry = ("verificationMaterial", "tlogEntries", 0)

    def with_entry(document: Document, *path: Any, value: Any) -> Document:
        found: Document = json.loads(tampered(json.dumps(document), (*entry, *path), value))
        return found

    def lookalike(identity: str, issuer: str = ISSUER) -> Document:
        forged = copy.copy(trusted)
        forged.identity, forged.issuer = identity, issuer
        return forged.sign(statement, at=at)

    proof = good["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    zeros = base64.b64encode(bytes(32)).decode()
    rootless = proof["checkpoint"]["envelope"].replace(proof["rootHash"], zeros)
    bundles: dict[str, Document] = {
        "another payload's entry": with_entry(
            good, value=other["verificationMaterial"]["tlogEntries"][0]
        ),
        "another signature's entry": with_entry(
            good, value=again["verificationMaterial"]["tlogEntries"][0]
        ),
        "no entry": json.loads(
            tampered(json.dumps(good), ("verificationMaterial", "tlogEntries"), [])
        ),
        "a longer name": lookalike(IDENTITY + "x"),
        "a shorter name": lookalike(IDENTITY[:-1]),
        "another case": lookalike(IDENTITY.upper()),
        "a suffix of another host": lookalike("https://evil.example.net/?" + IDENTITY),
        "another issuer": lookalike(IDENTITY, ISSUER + ".example.net"),
        "another instance": instance().sign(statement, at=at),
        "another root hash": with_entry(good, "inclusionProof", "rootHash", value=zeros),
        "another sibling": with_entry(good, "inclusionProof", "hashes", value=[zeros]),
        "another tree size": with_entry(good, "inclusionProof", "treeSize", value="3"),
        "a forged checkpoint": with_entry(
            good, "inclusionProof", "checkpoint", "envelope", value=rootless
        ),
    }
    cases = {
        title: (both(ground, f"e12-{index}", found), SIGNED)
        for index, (title, found) in enumerate(bundles.items())
    }
    models = [document["metadata"]["name"] for document, _ in cases.values()]
    with asking(ground, "keyless", keyless(trusted), "e12-good", *models):
        ground.put(both(ground, "e12-good", good))
        ground.never_certified(cases)
        ground.tenant.certified("e12-good")


@pytest.mark.bypass("P03")
def test_class_p03_any_attestation_is_enough(ground: Ground) -> None:
    """Evidence of X never admits Y; what cannot be read does not count."""
    tenant, model = ground.tenant, files(ground)
    other = manifest([("config.json", "f" * 64)])
    foreign = ground.attested("p03-y")
    foreign["spec"]["manifestDigest"] = other.digest
    ground.never_certified(
        {
            "signature and gate of another model": (foreign, (*SIGNED, "ManifestMismatch")),
            "a gate of another model": (
                gated(ground, "p03-b", tenant.gate(other)),
                ("GateForAnotherModel",),
            ),
            "a signature of another model": (
                signed(ground, "p03-c", bundle(other, tenant.owner)),
                (*SIGNED, "ManifestMismatch"),
            ),
            "unreadable gate": (gated(ground, "p03-d", "{}"), GATED),
            "unreadable bundle": (signed(ground, "p03-e", '{"a":1}'), SIGNED),
            "half a gate": (gated(ground, "p03-f", tenant.gate(model)[:-40]), GATED),
        }
    )


@pytest.mark.bypass("P04")
def test_class_p04_threshold_counting(ground: Ground) -> None:
    """One key is one signer, however often it signs and is named."""
    tenant, model = ground.tenant, files(ground)
    second = signer()
    one, two = bundle(model, tenant.owner), bundle(model, tenant.owner)
    renamed = tampered(two, ("dsseEnvelope", "signatures", 0, "keyid"), "another-name")
    statement = json.loads(tenant.gate(model))
    statement["signatures"] *= 2
    spec = {"signers": signers(tenant.owner, second, threshold=2)}
    named = {**signers(tenant.owner, tenant.owner), "threshold": 2}
    document = policy({"model": {"signers": named}}, name=f"{ground.namespace}-twice")
    del document["metadata"]["uid"], document["metadata"]["generation"]
    path = "/apis/quorate.dev/v1alpha1/clustersafetypolicies?dryRun=All"
    denied(ground.admin.request("POST", path, document), "one key listed twice counts once")
    with asking(ground, "threshold", spec, "p04-a", "p04-good"):
        ground.put(signed(ground, "p04-good", one, bundle(model, second)))
        ground.never_certified({"one key twice": (signed(ground, "p04-a", one, renamed), SIGNED)})
        tenant.certified("p04-good")


@pytest.mark.bypass("P05")
def test_class_p05_expired_or_rolled_back_evidence(ground: Ground) -> None:
    """Old evidence, evidence of tomorrow, an expired certificate; and a failure that is withheld
    after it was seen."""
    tenant, model = ground.tenant, files(ground)
    # Bytes of its own: what failed is remembered for them.
    shown = manifest([("config.json", "d" * 64)])
    failed = tenant.gate(shown, result=Outcome.FAILED, age=timedelta(minutes=1))
    passed = tenant.gate(shown, age=timedelta(minutes=30))

    def rolled(*gates: str) -> Document:
        return tenant.attested("p05-rolled", files=shown, gates=gates)

    ca = Authority("Root", None, now() - 30 * 24 * HOUR, now() + 30 * 24 * HOUR)
    key, leaf = _leaf(ca, now() - 2 * HOUR, now() - HOUR)
    fresh_key, fresh = _leaf(ca, now() - HOUR, now() + HOUR)
    spec = _by_certificate(ca)
    with asking(ground, "expired", spec, "p05-leaf", "p05-good"):
        expired = json.loads(sign_model(model, "demo", key, [leaf]))
        valid = json.loads(sign_model(model, "demo", fresh_key, [fresh]))
        ground.put(both(ground, "p05-good", valid))
        ground.never_certified(
            {
                "three days old": (
                    gated(ground, "p05-old", tenant.gate(model, age=timedelta(days=3))),
                    ("GateExpired",),
                ),
                "of tomorrow": (
                    gated(ground, "p05-new", tenant.gate(model, age=timedelta(days=-1))),
                    ("Gate", "EvidenceMalformed"),
                ),
                "an expired certificate": (both(ground, "p05-leaf", expired), SIGNED),
                "a newer failure": (rolled(passed, failed), ("GateFailed",)),
            }
        )
        tenant.certified("p05-good")
    ground.put(rolled(passed))
    generation = ground.model("p05-rolled")["metadata"]["generation"]

    def judged() -> bool:
        found = ground.model("p05-rolled")
        states = [c for c in found["status"]["conditions"] if c["type"] == "GatesPassed"]
        return bool(states and states[0].get("observedGeneration") == generation)

    eventually(judged, "judged without the failure")
    assert condition(ground.model("p05-rolled"), "GatesPassed") == "False"
    denied(ground.try_pod(model="p05-rolled"), "GateFailed")


def _leaf(ca: Authority, start: datetime, end: datetime) -> tuple[LocalSigner, x509.Certificate]:
    name = x509.RFC822Name("signer@example.com")
    return ca.signer(name, not_before=start, not_after=end)


def _by_certificate(ca: Authority) -> Document:
    identity = {"name": "c", "ca": pem(ca.certificate)}
    identity["subjectAlternativeName"] = "signer@example.com"
    return {"signers": {"certificates": [identity]}}


@pytest.mark.bypass("E30")
def test_class_e30_malformed_evidence(ground: Ground) -> None:
    """Strictly parsed: what two parsers could read differently is not read at all."""
    tenant, model = ground.tenant, files(ground)
    gate = tenant.gate(model)
    envelope = json.loads(gate)
    payload = base64.b64decode(envelope["payload"])

    def resigned(changed: bytes, payload_type: str = names.INTOTO_TYPE) -> str:
        return dsse.sign(changed, payload_type, [tenant.lab]).decode()

    statement = json.loads(payload)

    def saying(**changes: Any) -> str:
        return resigned(json.dumps(statement | changes).encode())

    twice = payload.replace(b'"subject"', b'"subject":[],"subject"', 1)
    subjects = statement["subject"] * 65
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    texts = {
        "duplicate keys in the envelope": gate.replace(
            '"payload"', '"payload":"e30=","payload"', 1
        ),
        "duplicate keys in the payload": resigned(twice),
        "no subject": saying(subject=[]),
        "65 subjects": saying(subject=subjects),
        "a subject without digest": saying(subject=[{"name": names.MANIFEST_SUBJECT}]),
        "another statement type": saying(_type="https://in-toto.io/Statement/v0.1"),
        "another payload type": resigned(payload, "application/json"),
        "base64 with junk": tampered(gate, ("payload",), envelope["payload"] + "!!"),
        "17 signatures": tampered(gate, ("signatures",), envelope["signatures"] * 17),
        "NaN": resigned(payload[:-1] + b',"x":NaN}'),
        "a float time": saying(
            predicate=statement["predicate"] | {"https://quorate.dev/attestation/finishedAt": 1.5}
        ),
        "nesting without end": resigned(deep),
        "no JSON": resigned(b"not json"),
        "invalid UTF-8": resigned(payload[:-1] + b',"x":"\xff"}'),
    }
    ground.never_certified(
        {
            title: (gated(ground, f"e30-{index}", text), (*GATED, "Gate"))
            for index, (title, text) in enumerate(texts.items())
        }
    )


@pytest.mark.bypass("P11")
def test_class_p11_exhausting_the_verifier(ground: Ground) -> None:
    """Too large or too many is refused when it is written; what is large is judged, and others
    are judged on meanwhile."""
    tenant, model = ground.tenant, files(ground)
    path = ground.path("attestedmodels", "", "quorate.dev/v1alpha1")

    def offered(name: str, **fields: Any) -> Any:
        return ground.attacker.request("POST", path, ground.attested(name, **fields))

    one = {"name": "e", "envelope": '{"x":"' + "a" * 1_100_000 + '"}'}
    denied(offered("p11-large", evidence=[one]))
    many = [{"name": f"e{i}", "envelope": tenant.gate(model)} for i in range(33)]
    denied(offered("p11-many", evidence=many), "at most 32", "Too many")
    bundles = [{"name": f"s{i}", "bundle": bundle(model, signer())} for i in range(17)]
    denied(offered("p11-signers", signatures=bundles), "at most 16", "Too many")
    deep = '{"payload":' + "[" * 100_000 + "]" * 100_000 + "}"
    heavy = [{"name": f"h{i}", "envelope": '{"payload":"' + "A" * 30_000 + '"}'} for i in range(32)]
    ground.put(ground.attested("p11-good"))
    ground.never_certified(
        {
            "deep": (gated(ground, "p11-deep", deep), GATED),
            "32 heavy ones": (ground.attested("p11-heavy", evidence=heavy), GATED),
        }
    )
    tenant.certified("p11-good")


@pytest.mark.bypass("E16", "P09")
def test_class_e16_p09_the_engine_as_a_confused_deputy(ground: Ground) -> None:
    """No field names a URL or another namespace; no unlisted registry is asked; and the rights of
    our accounts do not reach what a tenant wants."""
    path = ground.path("attestedmodels", "", "quorate.dev/v1alpha1") + "?fieldValidation=Strict"

    def refused(*sources: Document) -> str:
        model = ground.attested("e16", evidenceFrom=list(sources))
        return denied(ground.attacker.request("POST", path, model))

    config = {"name": "x", "key": "y"}
    refused({"name": "a", "configMap": config | {"namespace": "quorate-system"}})
    refused({"name": "a", "configMap": {"name": "../kube-system/x", "key": "y"}})
    refused({"name": "a", "url": "http://169.254.169.254/latest"})
    for place in ("http://x.example.test/a", "file:///etc/passwd"):
        refused({"name": "a", "ociReferrers": {"reference": f"{place}@sha256:{'0' * 64}"}})
    digest = f"sha256:{'0' * 64}"
    hosts = ("169.254.169.254", "kubernetes.default.svc:443", "localhost:8443")
    sources = [
        {"name": f"r{i}", "ociReferrers": {"reference": f"{host}/x/y@{digest}"}}
        for i, host in enumerate(hosts)
    ]
    theirs = {"name": "theirs", "configMap": {"name": "kube-root-ca.crt", "key": "ca.crt"}}
    ground.put(ground.attested("e16-reach", evidence=[], evidenceFrom=[*sources, theirs]))

    def answered() -> list[Document] | None:
        found = ground.model("e16-reach").get("status", {}).get("sources", [])
        read = [source for source in found if source["status"] != "Unknown"]
        return read if len(read) == len(hosts) + 1 else None

    for source in eventually(answered, "every source is answered for"):
        assert source["status"] == "False", source
        assert not source.get("documents")
    denied(ground.try_pod(model="e16-reach"), *GATED)
    fields: tuple[Document, ...] = (
        {"url": "http://example.test"},
        {"namespace": "kube-system"},
        {"context": [{}]},
    )
    policies = ground.path("safetypolicies", "", "quorate.dev/v1alpha1") + "?fieldValidation=Strict"
    for extra in fields:
        own = policy(extra, name="p09", namespace=ground.namespace)
        del own["metadata"]["uid"], own["metadata"]["generation"]
        assert "unknown field" in denied(ground.attacker.request("POST", policies, own))
    for account in ("quorate-operator", "quorate-webhook"):
        user = f"system:serviceaccount:{names.NAMESPACE}:{account}"
        for place in (ground.path("secrets"), "/api/v1/secrets", ground.path("configmaps")):
            assert ground.admin.request("GET", place, user=user).status == 403
