import base64
from datetime import timedelta

import pytest
from cryptography import x509
from prometheus_client import CollectorRegistry

from quorate.errors import InvalidInput, QuorateError
from quorate_operator import webhook_tls
from quorate_operator.effects.fence import NotHolding
from quorate_operator.effects.leaf import WebhookLeaf
from quorate_operator.kinds import SECRET, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.leaf import SeenLeaf, plan_leaf
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding

NAMESPACE = "quorate-system"
LIFE = timedelta(days=3)
LEAF_PATH = SECRET.path(NAMESPACE, webhook_tls.LEAF_SECRET)
CA_PATH = SECRET.path(NAMESPACE, webhook_tls.CA_SECRET)


@pytest.mark.parametrize(
    ("leaf", "age", "rotated"),
    [
        (SeenLeaf(None, None, signed_by_authority=False, names_match=False), 0.0, True),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=True, names_match=True), 0.0, False),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=True, names_match=True), 0.66, False),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=True, names_match=True), 0.67, True),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=True, names_match=True), 2.0, True),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=False, names_match=True), 0.0, True),
        (SeenLeaf(NOW, NOW + LIFE, signed_by_authority=True, names_match=False), 0.0, True),
    ],
    ids=["none", "new", "before 2/3", "after 2/3", "ended", "other authority", "other name"],
)
def test_when_a_leaf_is_replaced(leaf: SeenLeaf, age: float, rotated: bool) -> None:
    """At two thirds of its life, and whenever it cannot be used."""
    assert bool(plan_leaf(leaf, NOW + LIFE * age)) is rotated


class Scene:
    """The webhook's Secrets on an API server in memory."""

    def __init__(self, *, held: bool = True) -> None:
        self.api = FakeApi()
        self.clock = FixedClock(NOW)
        self.authority = webhook_tls.new_authority(NOW)
        self.put(webhook_tls.CA_SECRET, self.authority.pem, self.authority.key_pem)
        self.metrics = Metrics(CollectorRegistry())
        holder = Holding(held=held)
        self.leaf = WebhookLeaf(self.api, NAMESPACE, holder, self.clock, self.metrics, LIFE)

    def put(self, name: str, certificate: bytes, key: bytes) -> None:
        """Have a Secret hold a pair."""
        secret = webhook_tls.tls_secret(Key(SECRET.name, NAMESPACE, name), certificate, key)
        self.api.put(SECRET.path(NAMESPACE, name), secret)

    def issue(self, life: timedelta = LIFE) -> None:
        """Have a leaf there."""
        leaf = webhook_tls.new_leaf(self.authority, NAMESPACE, self.clock.now(), life)
        self.put(webhook_tls.LEAF_SECRET, leaf.certificate_pem, leaf.key_pem)

    @property
    def certificate(self) -> x509.Certificate:
        """The leaf that is there."""
        data = self.api.objects[LEAF_PATH]["data"]["tls.crt"]
        return x509.load_pem_x509_certificate(base64.b64decode(data))


@pytest.mark.requirement("operator: rotates serving leaves under the installed CA")
async def test_leaf_is_rotated_in_time_and_overlaps() -> None:
    """The new one begins while the old one still counts; authority and names stay."""
    scene = Scene()
    scene.issue()
    first = scene.certificate
    await scene.leaf.look()
    assert scene.certificate == first
    scene.clock.time += LIFE * 0.7
    await scene.leaf.look()
    second = scene.certificate
    assert second != first
    assert second.not_valid_before_utc < first.not_valid_after_utc < second.not_valid_after_utc
    second.verify_directly_issued_by(scene.authority.certificate)
    names = second.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "quorate-webhook.quorate-system.svc" in names.get_values_for_type(x509.DNSName)
    ends = scene.metrics.registry.get_sample_value(
        "quorate_operator_webhook_tls_expires_timestamp_seconds"
    )
    assert ends == second.not_valid_after_utc.timestamp()


@pytest.mark.parametrize("spoiled", ["no data", "not PEM", "other key", "other authority"])
async def test_leaf_that_cannot_be_used_is_replaced(spoiled: str) -> None:
    """Whatever is in the Secret, after a look there is a pair that the API server believes."""
    scene = Scene()
    scene.issue()
    pem = base64.b64decode(scene.api.objects[LEAF_PATH]["data"]["tls.crt"])
    if spoiled == "no data":
        del scene.api.objects[LEAF_PATH]["data"]
    elif spoiled == "not PEM":
        scene.put(webhook_tls.LEAF_SECRET, b"no", b"key")
    elif spoiled == "other key":
        scene.put(webhook_tls.LEAF_SECRET, pem, webhook_tls.new_authority(NOW).key_pem)
    else:
        leaf = webhook_tls.new_leaf(webhook_tls.new_authority(NOW), NAMESPACE, NOW, LIFE)
        scene.put(webhook_tls.LEAF_SECRET, leaf.certificate_pem, leaf.key_pem)
    await scene.leaf.look()
    seen = webhook_tls.look_at_leaf(scene.api.objects[LEAF_PATH], scene.authority, NAMESPACE)
    assert plan_leaf(seen, NOW) == ()


async def test_certificate_set_by_somebody_else_meanwhile_stays() -> None:
    """The write is refused if the Secret changed since it was read."""
    scene = Scene()
    scene.issue()
    scene.clock.time += LIFE
    changes = iter([True])

    def fault(method: str, path: str) -> None:
        if method == "PUT" and next(changes, False):
            scene.issue()

    scene.api.fault = fault
    with pytest.raises(QuorateError, match="modified"):
        await scene.leaf.look()
    theirs = scene.certificate
    await scene.leaf.look()
    assert scene.certificate == theirs


async def test_no_leaf_is_written_without_the_lease() -> None:
    """Two operators must not take turns."""
    scene = Scene(held=False)
    scene.issue()
    scene.clock.time += LIFE
    with pytest.raises(NotHolding):
        await scene.leaf.look()


def test_authority_whose_key_does_not_fit_is_refused() -> None:
    """A half-restored Secret must not sign leafs that nobody believes."""
    first, second = webhook_tls.new_authority(NOW), webhook_tls.new_authority(NOW)
    key = Key(SECRET.name, NAMESPACE, webhook_tls.CA_SECRET)
    with pytest.raises(InvalidInput, match="not a pair"):
        webhook_tls.read_authority(webhook_tls.tls_secret(key, first.pem, second.key_pem))
    with pytest.raises(InvalidInput):
        webhook_tls.read_authority({"metadata": {"name": "x"}, "data": {"tls.crt": "%%%"}})
