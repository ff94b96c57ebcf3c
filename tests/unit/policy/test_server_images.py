"""Server images that a policy wants signed: each judged by itself, by the rules of models."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from quorate import certificate, limits
from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.certificate import PolicyRef, ServerImage, Statement
from quorate.errors import InvalidInput
from quorate.evidence.image_signing import sign_image
from quorate.evidence.signatures import Context
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.evaluate import evaluate
from quorate.policy.fetched import FetchedSignatures
from quorate.policy.server_images import SERVERS_SIGNED, judge_servers
from quorate.verdict import Reason
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import Authority, pem
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import (
    NOW,
    attested_model,
    image_signature,
    member_signer,
    model_files,
    policy,
    signer,
    signers,
)

A, B, C = (f"sha256:{char * 64}" for char in "abc")
REPOSITORY = "registry.example.com/serving/server"
BUILD, RELEASE, STRANGER = signer(), signer(), signer()
CONTEXT = Context(NOW, OfflineSigstore())


def server(digest: str, *keys: Any, name: str = "", **fields: Any) -> dict[str, Any]:
    """A named image, signed inside the policy by these keys."""
    entry = {"name": name or f"server-{digest[7]}", "digest": digest}
    return entry | {"signatures": image_signature(digest, *keys)} | fields


def compiled(
    *servers: dict[str, Any], asks: dict[str, Any] | None = None, **fetched: Any
) -> CompiledPolicy:
    """A policy that names these images; by default either of two keys must have signed them."""
    asked = signers(BUILD, RELEASE) if asks is None else asks
    model = {"servers": list(servers), "serverSigners": asked}
    found = compile_policy(read(ClusterSafetyPolicy, policy({"model": model})))
    return with_fetched(found, **fetched) if fetched else found


def with_fetched(
    found: CompiledPolicy, bundles: dict[str, tuple[str, ...]] | None = None, unread: Any = ()
) -> CompiledPolicy:
    """The policy as a member has it."""
    read_ = FetchedSignatures(tuple((bundles or {}).items()), frozenset(unread))
    return replace(found, fetched=read_)


def signed(found: CompiledPolicy) -> dict[str, tuple[str, ...]]:
    """Who signed each image that is signed."""
    return {image.digest: image.signed_by for image in judge_servers(found, CONTEXT).signed}


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
def test_an_unsigned_image_takes_nothing_from_a_signed_one() -> None:
    """Each image stands for itself, and it is said who signed and what is wrong with the others."""
    found = compiled(server(A, RELEASE), server(B), server(C, STRANGER))
    images = judge_servers(found, CONTEXT)
    assert signed(found) == {A: ("keys/key-1",)}
    assert {one.server.digest for one in images.unsigned} == {B, C}
    assert images.unread == ()
    (requirement,) = evaluate(found, model(), NOW).requirements
    assert (requirement.name, requirement.denial) == (SERVERS_SIGNED, None)
    assert requirement.note.startswith("signed: server-a (by keys/key-1); not signed: server-b: ")
    assert len(requirement.shown_by) == 1


def model() -> AttestedModel:
    """Any model: images are signed or not whatever they serve."""
    return read(AttestedModel, attested_model(model_files()))


def test_no_signed_image_is_a_denial_with_its_fix() -> None:
    """Then no pod could run under the policy: it is said at once, and what would help."""
    found = compiled(server(A), server(B, signatureRepository=REPOSITORY))
    (denial,) = evaluate(found, model(), NOW).verdict.denials
    assert denial.reason is Reason.SERVER_NOT_SIGNED
    assert f"quorate sign --image {A}" in denial.fix
    found = compiled(server(B, signatureRepository=REPOSITORY))
    (denial,) = evaluate(found, model(), NOW).verdict.denials
    assert f"cosign sign {REPOSITORY}@{B}" in denial.fix
    assert denial.owner == "safety team <safety@example.com>"


def test_k_of_n_counts_people() -> None:
    """Two keys meet a threshold of two; one key twice, inside and fetched, does not."""
    both = signers(BUILD, RELEASE, threshold=2)
    assert signed(compiled(server(A, BUILD, RELEASE), asks=both)) == {
        A: ("keys/key-0", "keys/key-1")
    }
    again = {A: (sign_image(A, BUILD).decode(), sign_image(A, BUILD).decode())}
    assert signed(compiled(server(A, BUILD), asks=both, bundles=again)) == {}
    other = {A: (sign_image(A, RELEASE).decode(),)}
    assert len(signed(compiled(server(A, BUILD), asks=both, bundles=other))[A]) == 2


def test_no_more_names_and_documents_than_it_takes() -> None:
    """A certificate has room for the threshold, not for everybody who ever signed."""
    found = compiled(server(A, BUILD, RELEASE))
    images = judge_servers(found, CONTEXT)
    assert len(images.signed[0].signed_by) == len(images.shown_by) == 1


def test_fetched_signatures_count_for_their_image_only() -> None:
    """What lies beside one image is no signature of another, whoever says where it was found."""
    bundle = sign_image(A, RELEASE).decode()
    assert signed(compiled(server(A), server(B), bundles={A: (bundle,)})) == {A: ("keys/key-1",)}
    assert signed(compiled(server(A), server(B), bundles={B: (bundle,)})) == {}


def test_other_statements_beside_the_image_are_no_matter() -> None:
    """A dozen attestations attached to the image neither count nor crowd its signature out."""
    bundle = sign_image(A, RELEASE).decode()
    other = json.loads(bundle)
    statement = json.loads(base64.b64decode(other["dsseEnvelope"]["payload"]))
    attached = []
    for number in range(limits.SIGNATURES + 4):
        statement["predicateType"] = f"https://slsa.dev/provenance/v{number}"
        payload = base64.b64encode(json.dumps(statement).encode()).decode()
        other["dsseEnvelope"]["payload"] = payload
        attached.append(json.dumps(other))
    assert signed(compiled(server(A), bundles={A: (*attached, bundle)})) == {A: ("keys/key-1",)}
    why = judge_servers(compiled(server(A), bundles={A: tuple(attached)}), CONTEXT).unsigned[0].why
    assert "0 accepted signers" in why


@pytest.mark.requirement("not known yet is neither yes nor no")
def test_an_image_that_was_not_read_is_neither() -> None:
    """Unless what is known is enough: a yes stays a yes."""
    found = compiled(server(A, BUILD), server(B), server(C), unread={A, B})
    images = judge_servers(found, CONTEXT)
    assert [image.digest for image in images.signed] == [A]
    assert images.unread == (B,)
    assert [one.server.digest for one in images.unsigned] == [C]
    only = compiled(server(B), unread={B})
    assert evaluate(only, model(), NOW).verdict.allowed


def test_certificates_and_keyless_count_and_end() -> None:
    """Every way of signing, each under its name; a certificate's signature lasts as it does."""
    root, instance = Authority("Root"), Instance()
    san = x509.RFC822Name("builder@example.com")
    key, leaf = root.signer(san)
    asks = {
        "certificates": [
            {
                "name": "builder",
                "ca": pem(root.certificate),
                "subjectAlternativeName": "builder@example.com",
            }
        ],
        "keyless": [{"name": "ci", "identity": IDENTITY, "issuer": ISSUER}],
        "trustedRoot": instance.trusted_root,
    }
    statement = json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": B[7:]}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        }
    ).encode()
    bundles = {
        A: (sign_image(A, key, (leaf,)).decode(),),
        B: (json.dumps(instance.sign(statement)),),
    }
    found = compiled(server(A), server(B), asks=asks, bundles=bundles)
    by_digest = {image.digest: image for image in judge_servers(found, CONTEXT).signed}
    assert by_digest[A].signed_by == ("certificates/builder",)
    assert by_digest[A].not_after == leaf.not_valid_after_utc
    assert (by_digest[B].signed_by, by_digest[B].not_after) == (("keyless/ci",), None)
    later = Context(leaf.not_valid_after_utc + timedelta(seconds=1), OfflineSigstore())
    assert [image.digest for image in judge_servers(found, later).signed] == [B]


def test_a_policy_that_asks_for_nothing_has_no_requirement() -> None:
    """Images by digest, as before."""
    document = policy({"model": {"servers": [{"name": "a", "digest": A}]}})
    found = compile_policy(read(ClusterSafetyPolicy, document))
    evaluation = evaluate(found, model(), NOW)
    assert evaluation.requirements == ()
    assert evaluation.servers.signed == ()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"serverSigners": signers(BUILD)}, "must be set with serverSigners"),
        ({"serverSigners": signers(BUILD), "servers": []}, "must be set with serverSigners"),
        ({"servers": [server(A, BUILD)]}, "serverSigners: must be set"),
        ({"servers": [server(A, signatures=[], signatureRepository=REPOSITORY)]}, "must be set"),
        (
            {
                "serverSigners": signers(BUILD),
                "servers": [server(A, signatureRepository="library/server")],
            },
            "signatureRepository",
        ),
        (
            {
                "serverSigners": signers(BUILD, RELEASE, threshold=2),
                "servers": [server(f"sha256:{n:064x}", name=f"s{n}") for n in range(25)],
            },
            "at most 48",
        ),
        (
            {"serverSigners": signers(BUILD), "servers": [server(A), server(B, name="server-a")]},
            "listed twice",
        ),
    ],
)
def test_what_does_not_compile(spec: dict[str, Any], message: str) -> None:
    """A demand without images, images without a demand, a place that is none, too much."""
    with pytest.raises(InvalidInput, match=message):
        compile_policy(read(ClusterSafetyPolicy, policy({"model": spec})))


def test_the_digest_does_not_depend_on_what_was_fetched() -> None:
    """Webhook and member must come to the same; a judgement depends on both all the same."""
    plain = compiled(server(A))
    fetched = with_fetched(plain, {A: (sign_image(A, BUILD).decode(),)})
    assert plain.digest == fetched.digest
    assert plain.judged_by != fetched.judged_by


def test_what_was_held_fills_what_is_unread() -> None:
    """And nothing else: what was read anew counts, also if it is nothing."""
    held = FetchedSignatures(((A, ("a",)), (B, ("b",))))
    now = FetchedSignatures(((B, ()),), frozenset({A, C}))
    filled = now.or_held(held)
    assert (filled.of(A), filled.of(B), filled.unread) == (("a",), (), frozenset({C}))
    assert now.or_held(FetchedSignatures(unread=frozenset({A}))) == now


def test_the_largest_certificate_fits_into_a_status() -> None:
    """As many images as a policy may name, each with as much as there can be said of it."""
    keys = [member_signer() for _ in range(7)]
    digest = f"sha256:{'f' * 64}"
    worst = ServerImage(digest, ("certificates/" + "n" * 63,), NOW)
    statement = Statement(
        cluster_id="c" * 253,
        epoch=f"sha256:{'9' * 64}",
        namespace="n" * 63,
        model="m" * 63,
        manifest_digest=digest,
        policy=PolicyRef("ClusterSafetyPolicy", None, "p" * 253),
        policy_digest=digest,
        evidence=(digest,) * (48 + limits.SERVER_SIGNERS),
        issued_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        servers=(worst,) * limits.SERVER_SIGNERS,
    )
    assert len(certificate.issue(statement, keys)) < 32_768
