"""The committee as the chart runs it: one set, Service and key for each member of a preset."""

import json
from typing import Any

import pytest

from quorate import names
from quorate.consensus import judge_sets
from quorate.consensus.spare import read as told_spares
from quorate.consensus.thresholds import PRESETS
from quorate_consensus.settings import Settings, parse_arguments
from quorate_operator.config import SPARES
from quorate_operator.install.seats import read_plan
from tests.contract.chart.rendered import (
    CHART,
    Document,
    defaults,
    helm,
    named,
    pods,
    rendered,
    rendered_text,
)
from tests.contract.chart.test_administrators import environment

pytestmark = pytest.mark.cluster

OWN = [
    {
        "name": "member-a",
        "judges": "rules-classifier-anomaly",
        "failureDomain": "rack-1",
        "nodeSelector": {"rack": "1"},
    },
    {"judges": "all"},
    {},
    {},
    {},
]

SPARE_NAMED = {"name": "member-5", "judges": "all"}


def of_preset(preset: str, *settings: str) -> list[Document]:
    """What the chart makes with it."""
    return rendered(f'committee.preset="{preset}"', *settings)


def sets(documents: list[Document]) -> list[Document]:
    """Those of members and spares."""
    return [d for d in documents if d["kind"] == "StatefulSet"]


def settings_of(document: Document) -> Settings:
    """What a set's container is started with."""
    (container,) = document["spec"]["template"]["spec"]["containers"]
    return parse_arguments(container["args"])


def members(documents: list[Document]) -> list[Document]:
    """The members' sets."""
    return [d for d in sets(documents) if not settings_of(d).spare]


def spares(documents: list[Document]) -> list[Document]:
    """The sets of those that wait for a seat."""
    return [d for d in sets(documents) if settings_of(d).spare]


def member_names(documents: list[Document]) -> list[str]:
    """Their names, as labels tell."""
    return [d["metadata"]["labels"][names.MEMBER_LABEL] for d in members(documents)]


def planned(documents: list[Document]) -> Any:
    """What the install Job reads."""
    job = named(documents, "Job", "quorate-install-1")
    return read_plan(environment(job["spec"]["template"]["spec"]))


@pytest.mark.requirement("chart presets committee.preset: dev, standard, ha")
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_its_thresholds(preset: str) -> None:
    """As many sets as members, seats of the same names, and judges that differ from each other."""
    documents = of_preset(preset)
    plan = planned(documents)
    assert plan.thresholds == PRESETS[preset]
    expected = [f"member-{number}" for number in range(PRESETS[preset].n)]
    assert member_names(documents) == expected
    assert [member.name for member in plan.members] == expected
    assert len({member.judges for member in plan.members}) == PRESETS[preset].n
    for member in plan.members:
        judge_sets.digest_of_set(member.judges)
    assert defaults()["committee"]["preset"] == "standard"


@pytest.mark.requirement("self-healing: a spare waits with a key of its own, but in dev")
@pytest.mark.parametrize(("preset", "named_"), [("dev", []), ("standard", [5]), ("ha", [6])])
def test_a_spare_is_a_member_without_a_seat(preset: str, named_: list[int]) -> None:
    """As a member but for that: it waits, by the judges of the seat that it may get one day. The
    install Job and the operator are told of the same ones, and nobody else may read its key."""
    documents = of_preset(preset)
    expected = [f"member-{number}" for number in named_]
    assert [settings_of(one).spare for one in spares(documents)] == expected
    assert planned(documents).spares == tuple(expected)
    operator = named(documents, "Deployment", "quorate-operator")["spec"]["template"]["spec"]
    (told,) = (e["value"] for e in operator["containers"][0]["env"] if e["name"] == SPARES)
    found = told_spares(json.loads(told))
    assert [(one.name, one.failure_domain) for one in found] == [(n, n) for n in expected]
    by_name = {d["metadata"]["name"]: d for d in sets(documents)}
    for name in expected:
        spare, member = by_name[names.member_object(name)], by_name["quorate-member-0"]
        settings = settings_of(spare)
        assert settings.voting is not None
        assert settings.voting.judges == "seat"
        as_member = [
            argument.replace(name, "member-0")
            for argument in spare["spec"]["template"]["spec"]["containers"][0]["args"]
            if not argument.startswith(("--spare", "--judges"))
        ]
        of_member = member["spec"]["template"]["spec"]["containers"][0]["args"]
        assert as_member == [a for a in of_member if not a.startswith("--judges")]
        role = named(documents, "Role", "quorate-operator")
        readable = [n for rule in role["rules"] for n in rule.get("resourceNames", ())]
        assert names.member_key(name) not in readable
    two = of_preset(preset, "committee.spares=2")
    assert len(spares(two)) == 2 * len(expected)
    assert spares(of_preset(preset, "committee.spares=0")) == []


@pytest.mark.requirement("a StatefulSet for each member, replaced one at a time")
@pytest.mark.parametrize("preset", PRESETS)
def test_each_member_is_by_itself(preset: str) -> None:
    """One pod, which nothing but its own deletion replaces; its own key, name and Service."""
    documents = of_preset(preset)
    for document in sets(documents):
        name = document["metadata"]["labels"][names.MEMBER_LABEL]
        spec = document["spec"]
        assert document["metadata"]["name"] == names.member_object(name)
        assert (spec["replicas"], spec["serviceName"]) == (1, names.member_object(name))
        assert spec["updateStrategy"] == {"type": "OnDelete"}
        assert "volumeClaimTemplates" not in spec
        labels = spec["template"]["metadata"]["labels"]
        assert labels[names.MEMBER_LABEL] == name
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        secrets = [v["secret"] for v in spec["template"]["spec"]["volumes"] if "secret" in v]
        assert [secret["secretName"] for secret in secrets] == [names.member_key(name)]
        service = named(documents, "Service", names.member_object(name))["spec"]
        assert service["selector"] == spec["selector"]["matchLabels"]
        assert service["ports"] == [
            {"name": "https", "port": names.MEMBER_PORT, "targetPort": "https"}
        ]


@pytest.mark.requirement("a StatefulSet for each member, replaced one at a time")
def test_a_member_shows_the_name_that_its_url_has() -> None:
    """Who goes to the URL with a member's name in it finds a certificate for that host."""
    documents = rendered()
    text = named(documents, "ConfigMap", "quorate-injection")["data"]["injection.json"]
    url = json.loads(text)["memberUrl"]
    assert url == names.MEMBER_URL
    for document in sets(documents):
        name = document["metadata"]["labels"][names.MEMBER_LABEL]
        settings = settings_of(document)
        host = url.removeprefix("https://").replace(names.MEMBER_MARK, name)
        assert [f"{found}:{names.MEMBER_PORT}" for found in settings.tls_names] == [host]


@pytest.mark.requirement("PDB and topology spread over the members")
@pytest.mark.parametrize(("preset", "away"), [("dev", 1), ("standard", 1), ("ha", 2)])
def test_drains_leave_a_quorum(preset: str, away: int) -> None:
    """As many may be evicted as leave a strict quorum; the members spread over nodes and zones."""
    documents = of_preset(preset)
    budget = named(documents, "PodDisruptionBudget", "quorate-member")["spec"]
    assert budget["maxUnavailable"] == away
    thresholds = PRESETS[preset]
    assert thresholds.n - away >= thresholds.strict or thresholds.n == 1
    for document in members(documents):
        template = document["spec"]["template"]
        chosen = budget["selector"]["matchLabels"]
        assert chosen.items() <= template["metadata"]["labels"].items()
        spread = template["spec"]["topologySpreadConstraints"]
        assert [(s["topologyKey"], s["whenUnsatisfiable"]) for s in spread] == [
            ("kubernetes.io/hostname", "ScheduleAnyway"),
            ("topology.kubernetes.io/zone", "ScheduleAnyway"),
        ]
        assert all(s["labelSelector"]["matchLabels"] == chosen for s in spread)
    switched_off = of_preset(preset, "podDisruptionBudget.enabled=false")
    assert not [d for d in switched_off if d["kind"] == "PodDisruptionBudget"]


def test_members_may_be_named_judged_and_placed() -> None:
    """What is said of one counts for it, in its seat as in its pod; the rest is the preset's."""
    documents = rendered(f"committee.members={json.dumps(OWN)}", 'nodeSelector={"os":"linux"}')
    assert member_names(documents) == ["member-a", "member-1", "member-2", "member-3", "member-4"]
    first, second, *_ = planned(documents).members
    assert (first.name, first.failure_domain) == ("member-a", "rack-1")
    assert (second.failure_domain, second.judges) == ("member-1", "all")
    found = pods(documents)
    assert found["StatefulSet/quorate-member-a"]["nodeSelector"] == {"os": "linux", "rack": "1"}
    assert found["StatefulSet/quorate-member-1"]["nodeSelector"] == {"os": "linux"}
    role = named(documents, "Role", "quorate-install")
    named_secrets = [n for rule in role["rules"] for n in rule.get("resourceNames", ())]
    assert "quorate-member-a-key" in named_secrets
    assert "quorate-member-0-key" not in named_secrets


@pytest.mark.requirement("rotation, replacement, scaling 5→6→7: the chart goes with the chain")
def test_the_chart_runs_whoever_is_named() -> None:
    """A seat that is gone leaves out one of the preset, and the others keep their judges; who is
    none of the preset's comes with judges of its own."""
    named_members = [{"name": f"member-{n}"} for n in (1, 2, 3, 4)]
    named_members += [{"name": f"member-{n}", "judges": "all"} for n in (6, 7)]
    documents = rendered(f"committee.members={json.dumps(named_members)}")
    usual = {member.name: member.judges for member in planned(rendered()).members}
    found = {member.name: member.judges for member in planned(documents).members}
    assert found == {name: usual.get(name, "all") for name in member_names(documents)}
    assert list(found) == [f"member-{n}" for n in (1, 2, 3, 4, 6, 7)]


@pytest.mark.requirement("a vote store of each member: made where the values say so, else needed")
@pytest.mark.parametrize("preset", PRESETS)
def test_members_vote_by_the_judges_of_their_seats(preset: str) -> None:
    """From a store among what they remember, and they know where the others are."""
    for settings, make in (((), True), (("member.makeVoteStores=false",), False)):
        documents = of_preset(preset, *settings)
        judges = {member.name: member.judges for member in planned(documents).members}
        for document in members(documents):
            name = document["metadata"]["labels"][names.MEMBER_LABEL]
            (container,) = document["spec"]["template"]["spec"]["containers"]
            found = parse_arguments(container["args"])
            assert found.voting is not None
            assert (found.voting.judges, found.voting.make_store) == (judges[name], make)
            assert found.members_url == names.MEMBER_URL
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert str(found.voting.store.parent) in mounts


def test_each_member_has_a_claim_of_its_own() -> None:
    """One that two wrote would be neither's memory."""
    found = pods(rendered('member.memoryClaim="memory"'))
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for name, spec in found.items()
        if name.startswith("StatefulSet/")
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [f"memory-member-{number}" for number in range(6)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('committee.members=[{"name":"member-5"}]', "say its name and its judges"),
        (f"committee.members={json.dumps([{}] * 6)}", "say its name and its judges"),
        (
            f"committee.members={json.dumps([{'name': 'member-1'}] * 5)}",
            "names one member twice",
        ),
        (
            f"committee.members={json.dumps([SPARE_NAMED, {}, {}, {}, {}])}",
            "which is a spare's name",
        ),
    ],
)
def test_members_that_are_no_committee(wrong: str, said: str) -> None:
    """Helm refuses them before anything is installed."""
    with pytest.raises(AssertionError, match=said):
        rendered_text(wrong)


def test_five_members_fit_on_a_laptop() -> None:
    """Together they ask for less than a GiB and half a CPU; each may take what was measured."""
    resources = defaults()["member"]["resources"]
    assert resources["requests"] == {"cpu": "50m", "memory": "128Mi"}
    assert resources["limits"] == {"memory": "384Mi"}


def test_notes_tell_of_a_committee_of_one() -> None:
    """Who chose dev is told what it does not withstand; others are not."""
    notes = {
        preset: helm(
            *("install", "quorate", str(CHART), "--dry-run=client"),
            *("--set", f"committee.preset={preset}"),
        ).stdout.partition("NOTES:")[2]
        for preset in ("dev", "standard")
    }
    assert "One member" in notes["dev"]
    assert "One member" not in notes["standard"]
    assert "5 members" in notes["standard"]
