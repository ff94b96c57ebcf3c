"""Pods whose server image must be signed: what the certificate lists runs, and nothing else."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from quorate.admission import validate
from quorate.admission.update import update
from quorate.certificate import ServerImage
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason, Verdict
from tests.fakes.vouching import NOW, SERVER_DIGEST, policy, signer, signers
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FLOOR, World

OTHER = f"sha256:{'9' * 64}"
RELEASE = signer()
SIGNED = ServerImage(SERVER_DIGEST, ("keys/key-0",))
SERVERS = [{"name": "server", "digest": SERVER_DIGEST}, {"name": "other", "digest": OTHER}]
ASKING = FLOOR | {"model": FLOOR["model"] | {"servers": SERVERS, "serverSigners": signers(RELEASE)}}


def world(*images: ServerImage, unread: tuple[str, ...] = ()) -> World:
    """A platform policy that asks, and a model certified with these images."""
    found = World()
    found.put_policy(policy(ASKING))
    certify(found, *images, unread=unread)
    return found


def certify(found: World, *images: ServerImage, unread: tuple[str, ...] = ()) -> None:
    found.put_model(
        [
            found.certificate(p, servers=images, servers_unread=unread)
            if p.server_signers
            else found.certificate(p)
            for p in found.policies.values()
        ]
    )


def may_run(found: World, after: timedelta = timedelta(0)) -> Verdict:
    pod = PodBuilder(found.snapshot).released().build()
    return validate.may_run(pod, found.snapshot, found.now + after).verdict


def create(found: World) -> validate.Judgement:
    return validate.create(PodBuilder(found.snapshot).build(), found.snapshot)


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
def test_a_signed_image_runs() -> None:
    """It is in the certificate: created and released."""
    found = world(SIGNED)
    assert create(found).verdict.allowed
    assert may_run(found).allowed


@pytest.mark.requirement("a pod whose server image is not signed is refused")
@pytest.mark.parametrize("images", [(), (ServerImage(OTHER, ("keys/key-0",)),)])
def test_an_image_that_is_not_listed_is_refused(images: tuple[ServerImage, ...]) -> None:
    """At creation and later, with the image, the policy and the command; another's is no help."""
    found = world(*images)
    for verdict in (create(found).verdict, may_run(found)):
        (denial,) = verdict.denials
        assert denial.reason is Reason.SERVER_NOT_SIGNED
        assert (denial.requirement, denial.policy) == ("ServersSigned", "ClusterSafetyPolicy/floor")
        assert SERVER_DIGEST in denial.message
        assert "quorate sign --image" in denial.fix
        assert denial.owner == "safety team <safety@example.com>"


@pytest.mark.requirement("not known yet is neither yes nor no")
def test_an_image_that_was_not_read_waits() -> None:
    """Admitted behind its gate with a warning, and not released."""
    found = world(unread=(SERVER_DIGEST,))
    judgement = create(found)
    assert judgement.verdict.allowed
    assert "VerificationPending: the signatures of server image server" in judgement.warnings[0]
    assert [denial.reason for denial in may_run(found).denials] == [Reason.VERIFICATION_PENDING]


def test_a_signature_that_ends_denies_from_then_on() -> None:
    """Its certificate bounds the image, not the model's certificate."""
    found = world(msgspec.structs.replace(SIGNED, not_after=NOW + timedelta(minutes=10)))
    assert may_run(found, timedelta(minutes=9)).allowed
    reasons = [d.reason for d in may_run(found, timedelta(minutes=10)).denials]
    assert reasons == [Reason.SERVER_NOT_SIGNED]


def test_every_policy_that_asks_must_have_found_it_signed() -> None:
    """One policy's signers do not speak for another's; one that asks for none is content."""
    found = World()
    tenant = {"servers": SERVERS, "serverSigners": signers(signer())}
    found.put_policy(policy(ASKING))
    found.put_policy(policy({"model": tenant}, name="tenant", namespace="team-a"))
    found.put_policy(policy({"model": {"servers": SERVERS}}, name="plain", namespace="team-a"))

    def certificates(*lists: tuple[ServerImage, ...]) -> list[dict[str, Any]]:
        by_name = dict(zip(("floor", "tenant", "plain"), (*lists, ()), strict=True))
        return [found.certificate(p, servers=by_name[p.ref.name]) for p in found.policies.values()]

    found.put_model(certificates((SIGNED,), (SIGNED,)))
    assert may_run(found).allowed
    found.put_model(certificates((SIGNED,), ()))
    assert [d.policy for d in may_run(found).denials] == ["SafetyPolicy/team-a/tenant"]


def test_a_certificate_of_the_policy_as_it_was_lists_nothing() -> None:
    """Who must sign is part of the policy: when that changes, what was found before is void."""
    found = world(SIGNED)
    changed = ASKING["model"] | {"serverSigners": signers(signer())}
    found.put_policy(policy(ASKING | {"model": changed}))
    assert [d.reason for d in may_run(found).denials] == [Reason.CERTIFICATE_INVALID]


def test_a_report_does_not_stand_in_for_the_list() -> None:
    """The operator may say that images are signed; only the committee's list counts."""
    found = world()
    (compiled,) = found.policies.values()
    said = found.report(compiled)
    said["requirements"].append(
        {"name": "ServersSigned", "status": "True", "reason": "Verified", "message": ""}
    )
    found.put_model([found.certificate(compiled)], {"policies": [said]})
    assert not create(found).verdict.allowed
    assert not may_run(found).allowed


def test_a_yes_for_a_template_ends_with_its_certificate() -> None:
    """What is remembered of a spec is asked anew when the model's certificates change."""
    found = world(SIGNED)
    pod = PodBuilder(found.snapshot).build()
    text = msgspec.json.encode(pod["spec"])
    assert validate.create(pod, found.snapshot, text).verdict.allowed
    assert validate.recall(pod, text, found.snapshot) is not None
    certify(found)
    assert validate.recall(pod, text, found.snapshot) is None
    assert not validate.create(pod, found.snapshot, text).verdict.allowed
    assert validate.recall(pod, text, found.snapshot) is None


def test_a_running_pod_must_not_change_to_an_unsigned_image() -> None:
    """Both images are named, one is signed: the change is judged as a new pod is."""
    found = world(SIGNED)
    old = PodBuilder(found.snapshot).released().build()
    new = PodBuilder(found.snapshot).released().build()
    for container in new["spec"]["containers"]:
        if container["name"] == "server":
            container["image"] = f"registry.quorate.test:5000/server@{OTHER}"
    judgement = update(old, new, "someone", found.snapshot, found.now)
    assert [d.reason for d in judgement.verdict.denials] == [Reason.SERVER_NOT_SIGNED]


def test_nothing_is_asked_where_no_policy_asks() -> None:
    """A list of images that nobody asked for changes nothing."""
    found = World()
    compiled: CompiledPolicy = found.put_policy(policy(FLOOR))
    found.put_model([found.certificate(compiled)])
    assert may_run(found).allowed
