"""Installation against an API server in memory: every step, every interruption, every mismatch."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from quorate.admission.floor import GENESIS_ANNOTATION, GENESIS_SECRET
from quorate.api.v1alpha1.safety_committee import OBJECT
from quorate.consensus import judge_sets
from quorate.consensus.thresholds import PRESETS
from quorate.errors import InvalidInput, QuorateError
from quorate.genesis import parse_genesis
from quorate.keys import load_signer
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.install.command import install
from quorate_operator.install.keys import Inconsistent
from quorate_operator.install.member import GENESIS
from quorate_operator.install.seats import Plan, Planned
from quorate_operator.install.token_keys import TOKEN_KEYS, install_token_keys
from quorate_operator.install.webhook import CONFIGURATIONS, believe_operations
from quorate_operator.kinds import CONFIG_MAP, NAMESPACE, SAFETY_COMMITTEE, SECRET
from quorate_operator.webhook_tls import CA_SECRET, LEAF_SECRET
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FakeApi, FixedClock

NS = "quorate-system"
KEY_PATHS = [SECRET.path(NS, names.member_key(f"member-{number}")) for number in range(5)]
KEY_PATH = KEY_PATHS[0]
GENESIS_PATH = CONFIG_MAP.path(NS, GENESIS)
FLOOR_PATH = SECRET.path(NS, GENESIS_SECRET)
TOKENS_PATH = CONFIG_MAP.path(NS, TOKEN_KEYS)
Document = dict[str, Any]


def cluster() -> FakeApi:
    """A cluster with the chart's webhook configurations, nothing installed."""
    api = FakeApi()
    api.put(NAMESPACE.path(name="kube-system"), {"metadata": {"uid": "cluster-uid"}})
    api.put("/openid/v1/jwks", {"keys": [{"kid": "a"}]})
    api.put("/.well-known/openid-configuration", {"issuer": "https://issuer.test"})
    for plural in CONFIGURATIONS:
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}/quorate"
        webhooks = [{"name": f"{n}.quorate.dev", "clientConfig": {}} for n in "ab"]
        api.put(path, {"webhooks": webhooks})
    return api


def plan(preset: str = "standard") -> Plan:
    """The committee of a preset, each member with judges of its own."""
    thresholds = PRESETS[preset]
    sets = [*judge_sets.shipped().sets][-thresholds.n :]
    members = (
        Planned(f"member-{number}", judges, f"rack-{number}") for number, judges in enumerate(sets)
    )
    return Plan(preset, tuple(members), thresholds)


async def run(api: FakeApi, committee: Plan | None = None) -> None:
    """Install, without patience."""
    await install(api, NS, FixedClock(NOW), timedelta(days=1), 0.0, committee or plan())


def installed(api: FakeApi) -> Document:
    """What an installation leaves, without versions."""
    return {
        path: {k: v for k, v in document.items() if k != "metadata"}
        for path, document in api.objects.items()
    }


@pytest.mark.requirement("install: once, never overwritten, idempotent")
async def test_second_run_changes_nothing() -> None:
    """Keys, genesis, authority and leaf stay to the byte."""
    api = cluster()
    await run(api)
    first = installed(api)
    await run(api)
    assert installed(api) == first
    genesis = parse_genesis(api.objects[GENESIS_PATH]["data"]["genesis.json"].encode())
    assert genesis.cluster_id == "cluster-uid"
    assert api.objects[GENESIS_PATH]["data"]["digest"] == genesis.digest_text
    # A rotation replaces keys; nothing ever replaces a genesis.
    assert not any("immutable" in api.objects[path] for path in KEY_PATHS)
    assert len({api.objects[path]["data"]["key.pem"] for path in KEY_PATHS}) == 5
    floor = api.objects[FLOOR_PATH]
    assert floor["metadata"]["annotations"] == {GENESIS_ANNOTATION: genesis.digest_text}
    assert floor["immutable"] is True
    bundle = base64.b64encode(
        base64.b64decode(api.objects[SECRET.path(NS, CA_SECRET)]["data"]["tls.crt"])
    ).decode()
    for plural in CONFIGURATIONS:
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}/quorate"
        found = {w["clientConfig"]["caBundle"] for w in api.objects[path]["webhooks"]}
        assert found == {bundle}


@pytest.mark.requirement("install: crash-safe")
async def test_run_that_was_cut_off_anywhere_is_completed_by_the_next() -> None:
    """After every single call, before or behind it: the next run ends in a whole installation."""
    whole = cluster()
    await run(whole)
    for cut in range(len(whole.calls)):
        api = cluster()
        calls = 0

        def fault(method: str, path: str, cut: int = cut) -> None:
            nonlocal calls
            calls += 1
            if calls > cut:
                raise ApiUnavailable("cut off")

        api.fault = fault
        with pytest.raises(ApiUnavailable):
            await run(api)
        before = installed(api)
        api.fault = lambda method, path: None
        await run(api)
        after = installed(api)
        assert set(after) == set(installed(whole)), cut
        for path in (*KEY_PATHS, GENESIS_PATH):
            if path in before:
                assert after[path] == before[path], cut


@pytest.mark.requirement("self-healing: a spare's key is made where members' keys are, and no seat")
async def test_a_spare_has_a_key_and_no_seat() -> None:
    """Of its own, never overwritten; the genesis is the one of the members alone. A spare that a
    later release adds gets one as well."""
    api, without = cluster(), cluster()
    await run(without)
    spare = SECRET.path(NS, names.member_key("member-5"))
    await run(api, replace(plan(), spares=("member-5",)))
    seated = parse_genesis(api.objects[GENESIS_PATH]["data"]["genesis.json"].encode())
    assert "member-5" not in seated.members
    before = installed(api)
    assert "immutable" not in before[spare]
    await run(api, replace(plan(), spares=("member-5", "member-6")))
    after = installed(api)
    assert {path: after[path] for path in before} == before
    (other,) = after.keys() - before.keys()
    assert other == SECRET.path(NS, names.member_key("member-6"))
    assert len({after[path]["data"]["key.pem"] for path in (*KEY_PATHS, spare, other)}) == 7
    await run(without, replace(plan(), spares=("member-5",)))
    assert spare in without.objects


async def test_keys_without_a_genesis_get_the_same_genesis_again() -> None:
    """The genesis is a function of keys, cluster and release: pods that pinned it stay valid."""
    api = cluster()
    await run(api)
    digest = api.objects.pop(GENESIS_PATH)["data"]["digest"]
    await run(api)
    assert api.objects[GENESIS_PATH]["data"]["digest"] == digest


def lose_key(api: FakeApi) -> None:
    del api.objects[KEY_PATH]


def spoil_key(api: FakeApi) -> None:
    api.objects[KEY_PATH]["data"] = {"key.pem": "bm90IGEga2V5"}


def lose_the_last_key(api: FakeApi) -> None:
    del api.objects[KEY_PATHS[-1]]


def give_one_key_to_two(api: FakeApi) -> None:
    api.objects[KEY_PATHS[1]]["data"] = api.objects[KEY_PATHS[2]]["data"]


def spoil_genesis(api: FakeApi) -> None:
    api.objects[GENESIS_PATH]["data"]["genesis.json"] = "{}"


def spoil_digest(api: FakeApi) -> None:
    api.objects[GENESIS_PATH]["data"]["digest"] = "sha256:0"


def move_cluster(api: FakeApi) -> None:
    api.objects[NAMESPACE.path(name="kube-system")]["metadata"]["uid"] = "another"


@pytest.mark.requirement("install: inconsistent key and genesis → clear error with remedy")
@pytest.mark.parametrize(
    "spoil",
    [
        *(lose_key, lose_the_last_key, spoil_key, give_one_key_to_two),
        *(spoil_genesis, spoil_digest, move_cluster),
    ],
)
async def test_what_does_not_fit_is_an_error_with_its_remedy(spoil: Any) -> None:
    """Nothing is overwritten; the message says what to do."""
    api = cluster()
    await run(api)
    spoil(api)
    before = installed(api)
    with pytest.raises(Inconsistent) as caught:
        await run(api)
    assert "kubectl" in caught.value.fix
    assert installed(api) == before


async def test_genesis_of_another_key_is_an_error() -> None:
    """Restored from two different backups, say."""
    api, other = cluster(), cluster()
    await run(api)
    await run(other)
    api.objects[KEY_PATH] = other.objects[KEY_PATH]
    with pytest.raises(Inconsistent, match="names another key"):
        await run(api)


@pytest.mark.requirement("install Job: n keys, n seats, never overwritten")
@pytest.mark.parametrize("preset", PRESETS)
async def test_every_member_has_a_seat_and_a_key_of_its_own(preset: str) -> None:
    """As many as the preset has, with its thresholds, the chart's failure domains and judges."""
    api, committee = cluster(), plan(preset)
    await run(api, committee)
    record = parse_genesis(api.objects[GENESIS_PATH]["data"]["genesis.json"].encode()).record
    assert record.thresholds == PRESETS[preset]
    assert [seat.name for seat in record.seats] == [member.name for member in committee.members]
    for seat, member in zip(record.seats, committee.members, strict=True):
        held = api.objects[SECRET.path(NS, names.member_key(seat.name))]
        pem = base64.b64decode(held["data"]["key.pem"])
        assert load_signer(pem).public_key.pem == seat.key
        assert seat.failure_domain == member.failure_domain
        assert seat.judges == judge_sets.digest_of_set(member.judges)
    secrets = [path for path in api.objects if path.endswith("-key")]
    assert len(secrets) == PRESETS[preset].n


@pytest.mark.requirement("install Job: n keys, n seats, never overwritten")
async def test_a_smaller_committee_is_not_installed_over_a_larger_one() -> None:
    """The chart stopped running members that have seats: what is there stays, and it is said."""
    api = cluster()
    await run(api, plan("standard"))
    before = installed(api)
    with pytest.raises(
        Inconsistent, match=r"member-1, member-2.* has a seat.* does not run it"
    ) as caught:
        await run(api, plan("dev"))
    assert "committee.preset" in caught.value.fix
    assert installed(api) == before


async def test_a_larger_committee_gets_keys_and_waits_for_seats(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only a record of the chain gives the sixth member a seat; the genesis stays."""
    api = cluster()
    await run(api, plan("standard"))
    genesis = installed(api)[GENESIS_PATH]
    await run(api, plan("ha"))
    assert installed(api)[GENESIS_PATH] == genesis
    assert SECRET.path(NS, names.member_key("member-5")) in api.objects
    assert "member-5 has no seat yet" in caplog.text


async def test_one_that_meets_another_run_takes_its_keys_and_genesis() -> None:
    """Whoever is faster counts: two runs at once end in one committee."""
    faster, api = cluster(), cluster()
    await run(faster)

    def overtake(method: str, path: str) -> None:
        if method == "POST":
            api.objects.update(faster.objects)

    api.fault = overtake
    await run(api)
    assert {k: v for k, v in installed(api).items() if k in (*KEY_PATHS, GENESIS_PATH)} == {
        k: v for k, v in installed(faster).items() if k in (*KEY_PATHS, GENESIS_PATH)
    }


async def test_token_keys_are_refreshed() -> None:
    """A rotated service-account key reaches the member with the next upgrade."""
    api = cluster()
    await run(api)
    api.put("/openid/v1/jwks", {"keys": [{"kid": "a"}, {"kid": "b"}]})
    await run(api)
    data = api.objects[TOKENS_PATH]["data"]
    assert [key["kid"] for key in json.loads(data["jwks.json"])["keys"]] == ["a", "b"]
    assert data["issuer"] == "https://issuer.test"


@pytest.mark.parametrize("answer", [{}, {"keys": []}, {"keys": "no"}])
async def test_no_keys_are_no_keys(answer: Document) -> None:
    """An empty key set would let nobody in, for no reason anybody sees."""
    api = cluster()
    api.put("/openid/v1/jwks", answer)
    with pytest.raises(InvalidInput):
        await install_token_keys(api, NS)


async def test_lost_authority_is_replaced_with_its_leaf_and_believed() -> None:
    """Without its Secret the old authority can sign nothing: everything moves to a new one."""
    api = cluster()
    await run(api)
    leaf = api.objects[SECRET.path(NS, LEAF_SECRET)]["data"]
    del api.objects[SECRET.path(NS, CA_SECRET)]
    await run(api)
    assert api.objects[SECRET.path(NS, LEAF_SECRET)]["data"] != leaf
    path = f"/apis/admissionregistration.k8s.io/v1/{CONFIGURATIONS[0]}/quorate"
    bundle = api.objects[SECRET.path(NS, CA_SECRET)]["data"]["tls.crt"]
    assert api.objects[path]["webhooks"][0]["clientConfig"]["caBundle"] == bundle


async def test_missing_configuration_is_waited_for_and_then_named() -> None:
    """The chart's objects may come a moment later; without them the installation is not whole."""
    api = cluster()
    del api.objects[f"/apis/admissionregistration.k8s.io/v1/{CONFIGURATIONS[1]}/quorate"]
    with pytest.raises(QuorateError, match="not found"):
        await run(api)


def test_patch_names_every_webhook_it_changes() -> None:
    """If the chart reorders its webhooks meanwhile, the patch fails instead of hitting another."""
    configuration = {
        "webhooks": [
            {"name": "a", "clientConfig": {"caBundle": base64.b64encode(b"pem").decode()}},
            {"name": "b", "clientConfig": {"caBundle": "b2xk"}},
        ]
    }
    operations = believe_operations(configuration, b"pem")
    assert [(o["op"], o["path"]) for o in operations] == [
        ("test", "/webhooks/1/name"),
        ("add", "/webhooks/1/clientConfig/caBundle"),
    ]
    assert operations[0]["value"] == "b"


def sit(api: FakeApi, *members: str, number: int = 3) -> None:
    """What the operator writes of the epoch in force."""
    status = {"epoch": {"number": number}, "members": [{"name": name} for name in members]}
    api.objects[SAFETY_COMMITTEE.path("", OBJECT)]["status"] = status


FIVE = tuple(f"member-{number}" for number in range(5))


@pytest.mark.requirement("rotation, replacement, scaling 5→6→7: the chart goes with the chain")
async def test_a_rotated_key_is_no_mistake() -> None:
    """After records of the chain a key may be another than the genesis names, and stays as it is:
    the member itself compares it with its seat."""
    api, other = cluster(), cluster()
    await run(api, plan("standard"))
    await run(other, plan("standard"))
    api.objects[KEY_PATH] = other.objects[KEY_PATH]
    sit(api, *FIVE)
    before = installed(api)
    await run(api, plan("standard"))
    assert installed(api) == before
    sit(api, *FIVE, number=0)
    with pytest.raises(Inconsistent, match="names another key"):
        await run(api, plan("standard"))


@pytest.mark.requirement("rotation, replacement, scaling 5→6→7: the chart goes with the chain")
async def test_the_chart_runs_who_has_a_seat_now() -> None:
    """Who left may go from the chart, who joined may not; a member without a seat may come."""
    api, standard = cluster(), plan("standard")
    await run(api, standard)
    sixth = replace(standard, members=(*standard.members, *plan("ha").members[5:]))
    await run(api, sixth)
    sit(api, *FIVE[1:], "member-5")
    await run(api, replace(sixth, members=sixth.members[1:]))
    with pytest.raises(Inconsistent, match="member-5 has a seat"):
        await run(api, standard)


async def test_a_lost_key_of_a_seated_member_is_not_made_anew() -> None:
    """Also after a record: the new one would sign nothing that counts."""
    api = cluster()
    await run(api, plan("standard"))
    sit(api, *FIVE)
    del api.objects[KEY_PATH]
    with pytest.raises(Inconsistent, match="has a seat, and Secret"):
        await run(api, plan("standard"))
