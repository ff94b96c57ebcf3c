"""Receipts: for the token's own pod on its node, of certified bytes and named images, or none."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509

from quorate import names, receipt
from quorate.errors import InvalidInput, Unavailable
from quorate.evidence import dsse
from quorate.evidence.image_signing import sign_image
from quorate.evidence.intoto import Outcome
from quorate.receipt import Receipt
from quorate.statements import encode
from quorate.verdict import Reason
from quorate_consensus.collected import Collected
from quorate_consensus.issuing import Committee
from quorate_consensus.judging import Judge
from quorate_consensus.receipt_content import RECEIPT_HEARD
from quorate_consensus.receipt_service import ReceiptDenied, Receipts
from quorate_consensus.relay import Relay
from quorate_consensus.state_service import PodUnknown
from quorate_io.member_api import FetchedImage, ObservedBatch, ObservedContainer
from tests.fakes import receipts, vouching
from tests.fakes.authorities import Authority, pem
from tests.fakes.vouching import NOW, SERVER_DIGEST, SIDECAR_DIGEST
from tests.unit.consensus.scene import FILES, POD, ManualClock, Scene, Unread, relayed
from tests.unit.consensus.test_state_service import Silent, caller

ON_NODE = {"node_name": "node-1", "node_uid": "node-uid-1"}
OTHER = f"sha256:{'0' * 64}"
HEARD = timedelta(seconds=RECEIPT_HEARD)


class Counter:
    """A meter that remembers."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def answered(self, reason: str) -> None:
        """Note the answer."""
        self.reasons.append(reason)


class Desk:
    """Receipts of a scene, with its clock, relay and one sidecar's key."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self.scene, self.clock, self.relay = Scene(), ManualClock(), Relay()
        self.key, self.counted = receipts.session_key(), Counter()
        self.workers = workers
        self.serve(self.scene.committee)

    def serve(self, committee: Committee) -> None:
        """Begin anew, as a member that signs and is configured like this."""
        judge = Judge(committee, self.clock, self.workers, Silent(), lambda: 0.0)
        collected = Collected(committee.epochs, Unread())
        self.receipts = Receipts(committee, self.relay, judge, collected, self.clock, self.counted)

    def tell(self, sequence: int = 1, **fields: Any) -> None:
        """Relay a session, or with a later ``sequence`` a change.

        Where policies change, the operator has collected their certificates.
        """
        if "policies" in fields and "models" not in fields:
            model, now = self.scene.model(), self.clock.now()
            fields["models"] = (self.scene.collected(model, *fields["policies"], now=now),)
        batch = (
            self.scene.batch(**fields)
            if sequence == 1
            else ObservedBatch(session="s", sequence=sequence, **fields)
        )
        relayed(batch, relay=self.relay, now=self.clock.now())

    async def ask(self, body: bytes | None = None, **who: Any) -> Receipt:
        """What the pod's sidecar makes of the answer."""
        asked = body or receipts.request(self.key, self.clock.now())
        envelope = await self.receipts.envelope(caller(**(ON_NODE | who)), asked)
        return receipt.verify(
            envelope,
            self.scene.members.history,
            pod_uid=POD.uid,
            session_key=self.key.public_key.pem,
            manifest_digest=FILES.digest,
            now=self.clock.now(),
        )

    async def denied(self, body: bytes | None = None, **who: Any) -> tuple[Reason, str]:
        """Why there is none; it is counted by that reason."""
        with pytest.raises(ReceiptDenied) as denied:
            await self.ask(body, **who)
        assert self.counted.reasons[-1] == denied.value.reason
        assert denied.value.message.startswith(f"{denied.value.reason}: ")
        return denied.value.reason, denied.value.message


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A member that knows the scene."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        desk.tell()
        yield desk


def containers(**changes: Any) -> dict[str, Any]:
    """The pod with its server's container changed."""
    *injected, server = POD.containers
    return {"containers": (*injected, msgspec.structs.replace(server, **changes))}


def pod(**changes: Any) -> dict[str, Any]:
    """A batch's pods: this one, changed."""
    return {"pods": (msgspec.structs.replace(POD, **changes),)}


@pytest.mark.requirement(
    "pod receipts: pod UID, node UID, images, manifest, policy, key, certificate"
)
async def test_a_receipt_says_all_it_must(desk: Desk) -> None:
    """Pod and node of the token, images of the pod, certificates of the model; its life counts from
    the longest ago that the operator may have been heard."""
    found = await desk.ask()
    statement = found.statement
    assert (statement.pod_uid, statement.node_uid) == (POD.uid, "node-uid-1")
    assert statement.image_digests == (SERVER_DIGEST, SIDECAR_DIGEST)
    assert statement.manifest_digest == FILES.digest
    assert [str(policy.policy) for policy in statement.policies] == ["ClusterSafetyPolicy/floor"]
    assert statement.issued_at == NOW
    assert statement.expires_at == NOW + timedelta(minutes=15) - HEARD
    assert desk.counted.reasons == [""]


async def test_reported_images_are_in_the_receipt(desk: Desk) -> None:
    """What the kubelet runs is named beside what was asked, if a policy names it too."""
    floor = desk.scene.floor()
    floor["spec"]["model"]["servers"].append({"name": "platform", "digest": OTHER})
    desk.tell(2, policies=(floor,), **pod(**containers(runs=OTHER)))
    assert (await desk.ask()).statement.image_digests == (OTHER, SERVER_DIGEST, SIDECAR_DIGEST)


DOWNLOADER = ObservedContainer(name="fetch", init=True, asked=OTHER)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"containers": ()}, Reason.IMAGES_UNKNOWN, "not known which images"),
        ({"containers": POD.containers[2:]}, Reason.NOT_INJECTED, "quorate-measure and no"),
        ({"containers": POD.containers[1:]}, Reason.NOT_INJECTED, "no quorate-measure"),
        (containers(asked=""), Reason.SERVER_NOT_ALLOWED, "no digest"),
        (containers(asked=OTHER), Reason.SERVER_NOT_ALLOWED, OTHER),
        (containers(asked=SIDECAR_DIGEST), Reason.SERVER_NOT_ALLOWED, "server"),
        (containers(runs=OTHER), Reason.IMAGE_DIFFERS, f"runs {OTHER}"),
        (containers(name="quorate-sidecar", asked=OTHER), Reason.SERVER_NOT_ALLOWED, OTHER),
        ({"containers": (*POD.containers, DOWNLOADER)}, Reason.SERVER_NOT_ALLOWED, "fetch"),
        (
            {"containers": (*POD.containers, msgspec.structs.replace(DOWNLOADER, init=False))},
            Reason.SERVER_NOT_ALLOWED,
            "fetch",
        ),
        (
            {
                "containers": (
                    msgspec.structs.replace(POD.containers[0], runs=OTHER),
                    *POD.containers[1:],
                )
            },
            Reason.IMAGE_DIFFERS,
            "quorate-measure",
        ),
        (
            {
                "containers": (
                    msgspec.structs.replace(POD.containers[0], asked=""),
                    *POD.containers[1:],
                )
            },
            Reason.NOT_INJECTED,
            "without a digest",
        ),
        ({"node": "node-2"}, Reason.TOKEN_OTHER_NODE, "node-2"),
        ({"node": ""}, Reason.TOKEN_OTHER_NODE, "no node yet"),
        ({"labels": {}}, Reason.NO_MODEL_LABEL, "label"),
        ({"labels": {names.MODEL_LABEL: "none"}}, Reason.MODEL_NOT_FOUND, "team-a/none"),
    ],
)
@pytest.mark.requirement("pod receipts: anything missing is a denial with its reason")
async def test_what_the_pod_may_not_be(
    desk: Desk, changes: dict[str, Any], reason: Reason, words: str
) -> None:
    """Images nobody named, a pod that was not injected, another node, no model: no receipt."""
    desk.tell(2, **pod(**changes))
    found, message = await desk.denied()
    assert found is reason
    assert words in message


async def test_a_downloader_is_named_as_one(desk: Desk) -> None:
    """Its image counts as an init container only, and not if it is a server's as well."""
    floor = desk.scene.floor()
    floor["spec"]["model"]["downloaders"] = [{"name": "fetch", "digest": OTHER}]
    desk.tell(2, policies=(floor,), **pod(containers=(*POD.containers, DOWNLOADER)))
    assert OTHER in (await desk.ask()).statement.image_digests
    floor["spec"]["model"]["servers"].append({"name": "both", "digest": OTHER})
    desk.tell(3, policies=(floor,))
    assert (await desk.denied())[0] is Reason.SERVER_NOT_ALLOWED


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({"node_name": "", "node_uid": ""}, Reason.TOKEN_WITHOUT_NODE),
        ({"node_uid": ""}, Reason.TOKEN_WITHOUT_NODE),
        ({"node_name": "node-2"}, Reason.TOKEN_OTHER_NODE),
    ],
)
@pytest.mark.requirement("pod receipts: the token is bound to pod and node")
async def test_the_token_must_be_of_the_pods_node(
    desk: Desk, who: dict[str, Any], reason: Reason
) -> None:
    """A token without a node, without its UID, or made for another node gives no receipt."""
    assert (await desk.denied(**who))[0] is reason


@pytest.mark.parametrize("who", [{"pod_uid": "u2"}, {"pod_name": "p2"}, {"namespace": "team-b"}])
async def test_only_a_protected_pod_gets_one(desk: Desk, who: dict[str, Any]) -> None:
    """A token of a pod that the member does not know as protected is refused as everywhere."""
    with pytest.raises(PodUnknown):
        await desk.ask(**who)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pod_uid": "pod-uid-2"}, Reason.REQUEST_OTHER_POD),
        ({"manifest_digest": OTHER}, Reason.MANIFEST_MISMATCH),
        ({"cluster_id": "cluster-2"}, Reason.SESSION_KEY_NOT_PROVEN),
        (
            {"issued_at": NOW - timedelta(minutes=2), "expires_at": NOW},
            Reason.SESSION_KEY_NOT_PROVEN,
        ),
        (
            {"issued_at": NOW + timedelta(minutes=1), "expires_at": NOW + timedelta(minutes=2)},
            Reason.SESSION_KEY_NOT_PROVEN,
        ),
    ],
)
async def test_what_a_request_may_not_say(
    desk: Desk, changes: dict[str, Any], reason: Reason
) -> None:
    """Another pod, other bytes than the certified, another cluster, another time."""
    assert (await desk.denied(receipts.request(desk.key, **changes)))[0] is reason


@pytest.mark.requirement("pod receipts: the session key is proven")
async def test_a_key_must_sign_for_itself(desk: Desk) -> None:
    """Nobody gets a receipt for a key he does not hold, or by a signature for something else."""
    asked = receipts.request_statement(desk.key)
    for signer, kind in (
        (receipts.session_key(), names.RECEIPT_REQUEST_TYPE),
        (desk.scene.members.keys[0], names.RECEIPT_REQUEST_TYPE),
    ):
        forged = dsse.sign(encode(asked), kind, [signer])
        assert (await desk.denied(forged))[0] is Reason.SESSION_KEY_NOT_PROVEN
    mistyped = dsse.sign(encode(asked), names.RECEIPT_TYPE, [desk.key])
    with pytest.raises(InvalidInput):
        await desk.ask(mistyped)


@pytest.mark.parametrize("kind", ["ecdsa", "spelling", "none"])
async def test_session_keys_of_another_kind(desk: Desk, kind: str) -> None:
    """Ed25519 in one spelling: a receipt's key is compared as a text."""
    key = vouching.signer() if kind == "ecdsa" else desk.key
    pem = {"ecdsa": key.public_key.pem, "spelling": f" {key.public_key.pem}", "none": "-"}[kind]
    asked = receipts.request_statement(desk.key, session_key=pem)
    with pytest.raises(InvalidInput):
        await desk.ask(dsse.sign(encode(asked), names.RECEIPT_REQUEST_TYPE, [key]))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"{" * 9000])
async def test_bodies_that_are_no_request(desk: Desk, body: bytes) -> None:
    """Anything else is malformed, and nothing is issued."""
    with pytest.raises(InvalidInput):
        await desk.receipts.envelope(caller(**ON_NODE), body)


@pytest.mark.requirement("a FAILED gate stops a model's pods through their receipts")
async def test_what_was_withdrawn_gets_no_renewal(desk: Desk) -> None:
    """A failed gate, a removed key, a server no longer named, a policy more: the next is denied."""
    await desk.ask()
    desk.tell(2, models=(desk.scene.model(result=Outcome.FAILED),))
    assert (await desk.denied())[0] is Reason.GATE_FAILED
    passed = desk.scene.model(finished_at=NOW - timedelta(minutes=30))
    desk.tell(3, models=(desk.scene.collected(passed),))
    await desk.ask()
    unnamed = desk.scene.floor()
    unnamed["spec"]["model"]["servers"] = [{"name": "new", "digest": OTHER}]
    models = (desk.scene.collected(passed, unnamed),)
    desk.tell(4, policies=(unnamed,), models=models)
    assert (await desk.denied())[0] is Reason.SERVER_NOT_ALLOWED
    more = vouching.policy({"model": {"signers": vouching.signers(vouching.signer())}}, name="more")
    desk.tell(5, policies=(desk.scene.floor(), more), models=(passed,))
    assert (await desk.denied())[0] is Reason.SIGNER_NOT_TRUSTED


async def test_nothing_is_issued_before_the_cluster_is_known() -> None:
    """A member that just began answers that it is not ready."""
    with ThreadPoolExecutor(1) as workers, pytest.raises(Unavailable):
        await Desk(workers).ask()


RELEASE = vouching.signer()


def asking(desk: Desk, *bundles: bytes, unread: bool = False) -> dict[str, Any]:
    """The floor, wanting the server image signed; what lies beside it."""
    floor = desk.scene.floor()
    model = floor["spec"]["model"]
    model["servers"] += [{"name": "other", "digest": OTHER}]
    for server in model["servers"]:
        server["signatureRepository"] = "registry.example.com/server"
    model["serverSigners"] = vouching.signers(RELEASE)
    texts = tuple(bundle.decode() for bundle in bundles)
    image = FetchedImage(digest=SERVER_DIGEST, unread=unread, bundles=texts)
    other = FetchedImage(digest=OTHER, bundles=(sign_image(OTHER, RELEASE).decode(),))
    return floor | {"fetched": msgspec.to_builtins((image, other))}


@pytest.mark.requirement("a pod whose server image is not signed is refused")
async def test_no_receipt_for_an_unsigned_image(desk: Desk) -> None:
    """Another image of the policy is signed, so the model is certified; this pod's is not.

    A certificate that does not list the image yet, though it is signed, is none for this pod.
    """
    early = desk.scene.collected(desk.scene.model(), asking(desk))
    desk.tell(2, policies=(asking(desk, sign_image(SERVER_DIGEST, RELEASE)),), models=(early,))
    with pytest.raises(Unavailable, match="lists server image server was"):
        await desk.ask()
    desk.tell(3, policies=(asking(desk, sign_image(SERVER_DIGEST, RELEASE)),))
    await desk.ask()
    desk.tell(4, policies=(asking(desk),))
    reason, message = await desk.denied()
    assert reason is Reason.SERVER_NOT_SIGNED
    assert SERVER_DIGEST in message
    assert "cosign sign registry.example.com/server@" in message
    signed = sign_image(SERVER_DIGEST, RELEASE)
    desk.tell(5, policies=(asking(desk, signed),), **pod(**containers(runs=OTHER)))
    await desk.ask()


@pytest.mark.requirement("not known yet is neither yes nor no")
async def test_no_answer_for_an_image_that_was_not_read(desk: Desk) -> None:
    """The pod goes on with the receipt it has."""
    desk.tell(2, policies=(asking(desk, unread=True),))
    with pytest.raises(Unavailable, match="server image server were not read yet"):
        await desk.ask()


async def test_a_receipt_ends_with_the_images_signature(desk: Desk) -> None:
    """A certificate that ends in minutes bounds the receipt of the pods that run its image."""
    root, san = Authority("Root"), x509.RFC822Name("builder@example.com")
    key, leaf = root.signer(san, not_after=NOW + timedelta(minutes=5))
    floor = asking(desk, sign_image(SERVER_DIGEST, key, (leaf,)))
    floor["spec"]["model"]["serverSigners"]["certificates"] = [
        {"name": "b", "ca": pem(root.certificate), "subjectAlternativeName": san.value}
    ]
    desk.tell(2, policies=(floor,))
    assert (await desk.ask()).statement.expires_at == leaf.not_valid_after_utc
    desk.clock.advance(301)
    desk.tell(3)
    assert (await desk.denied())[0] is Reason.SERVER_NOT_SIGNED
