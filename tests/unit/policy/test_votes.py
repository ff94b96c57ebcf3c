"""Risk and votes in policies: compiled and intersected."""

from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest

from quorate import limits
from quorate.api.v1alpha1 import ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.risk_requirements import (
    AnyClass,
    DeclaredClass,
    RiskFloor,
    RiskRequirements,
    VotingRequirements,
)
from quorate.api.v1alpha1.signers import Approvers as NamedApprovers
from quorate.consensus.request import Band
from quorate.errors import InvalidInput
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.runtime import RuntimeRules
from quorate.policy.votes import risk_table, voting
from quorate.risk.route import VOTING, Approvers, Voting
from quorate.risk.rules import ActionClass, Floor, FloorKind, RiskTable, Tool, Weight
from quorate.statements import convert, encode
from tests.fakes.vouching import policy, signer, signers

CHIEF, DEPUTY = signer(), signer()
RISK: dict[str, Any] = {
    "tools": [
        {"name": "db_*", "capability": "database", "actionClass": "write", "irreversible": True}
    ],
    "floors": [{"kind": "actionClass", "name": "pay", "band": "critical"}],
    "weights": [{"actionClass": "read", "score": 200}],
}
TABLE = RiskTable(
    platform=True,
    tools=(Tool("db_*", "database", ActionClass.WRITE, irreversible=True),),
    floors=(Floor(FloorKind.ACTION_CLASS, "pay", Band.CRITICAL),),
    weights=(Weight(ActionClass.READ, 200),),
)
HOLDS = {"threshold": 2, "keys": signers(CHIEF, DEPUTY)["keys"]}


def compiled(spec: dict[str, Any], **kwargs: Any) -> CompiledPolicy:
    """A policy, compiled."""
    document = policy(spec, **kwargs)
    if document["kind"] == "SafetyPolicy":
        return compile_policy(read(SafetyPolicy, document))
    return compile_policy(read(ClusterSafetyPolicy, document))


@pytest.mark.requirement("risk, consensus and holds of a policy reach its sidecars")
def test_what_a_policy_says_of_votes_reaches_the_sidecar() -> None:
    """From the document as it is applied, of either kind, to the rules that are signed."""
    floor = compiled(
        {
            "runtime": RUNTIME | {"risk": RISK},
            "consensus": {"veto": "any", "strictMilliseconds": 900},
            "holds": HOLDS,
        }
    )
    own = compiled(
        {"runtime": RUNTIME | {"risk": {}}, "consensus": {"fastMilliseconds": 100}},
        namespace="team-a",
    )
    found = rules(floor, own)
    assert found.risk == (TABLE, RiskTable(platform=False))
    group = Approvers(2, (CHIEF.public_key.pem, DEPUTY.public_key.pem))
    assert found.voting == Voting(100, 900, True, 900, (group,))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"runtime": {"risk": {"floors": RISK["floors"] * 2}}}, "spec.runtime.risk.floors"),
        ({"holds": {"threshold": 1, "keys": [{"name": "a", "publicKey": "x"}]}}, "spec.holds"),
    ],
)
def test_what_cannot_be_meant_does_not_compile(spec: dict[str, Any], field: str) -> None:
    """A policy from a file is held to the same."""
    with pytest.raises(InvalidInput) as caught:
        compiled(spec)
    assert field in f"{caught.value.field} {caught.value}"


def test_a_tenant_names_no_people() -> None:
    """Who may approve what is held is the platform's to say."""
    with pytest.raises(InvalidInput, match="holds"):
        compiled({"holds": HOLDS}, namespace="team-a")


RUNTIME = {
    "upstream": {"port": 8000, "probePaths": ["/health"]},
    "checks": [{"name": "secrets", "action": "deny"}],
    "limits": {"requestsPerMinute": 60},
}


def test_policies_without_votes_have_their_digest_of_before() -> None:
    """Computed by the release that knew neither risk nor consensus: an upgrade voids nothing."""
    assert (
        compiled({"runtime": RUNTIME}).digest
        == "sha256:f3ecdb25c2608cdf8648a9dfeee49390295c480311e5542be7664a692d3b16b3"
    )
    assert (
        compiled({"runtime": RUNTIME}, namespace="team-a").digest
        == "sha256:601157cee97d534005f9c9db8c49cd1451b456d75f47f8bddd9170bd0bfef664"
    )


def rules(*policies: CompiledPolicy) -> RuntimeRules:
    """What a sidecar is told."""
    return intersect.runtime_rules(policies)


FLOOR = compiled({"runtime": RUNTIME})
OWN = compiled({"runtime": RUNTIME}, namespace="team-a")


def test_rules_without_votes_are_those_of_before() -> None:
    """Nothing more is sent, so sidecars of the release before go on; what they get says that
    nothing is asked."""
    sent = msgspec.to_builtins(rules(FLOOR, OWN))
    assert {"risk", "voting"}.isdisjoint(sent)
    again = convert(sent, RuntimeRules, "rules")
    assert (again.risk, again.voting) == ((), VOTING)
    assert msgspec.to_builtins(again) == sent


def test_rules_hold_every_policys_table_and_the_strictest_votes() -> None:
    """Each as it is: what counts is decided for each action. They read as they were sent."""
    one = replace(FLOOR, risk=TABLE, voting=Voting(fast_ms=150))
    two = replace(OWN, risk=RiskTable(platform=False), voting=Voting(strict_ms=500, veto=True))
    found = rules(one, two)
    assert found.risk == (TABLE, RiskTable(platform=False))
    assert found.voting == Voting(fast_ms=150, strict_ms=500, veto=True)
    assert convert(msgspec.json.decode(encode(found)), RuntimeRules, "rules") == found
    assert rules(one).risk == (TABLE,)


def test_risk_compiles_to_its_table() -> None:
    """Every field."""
    said = RiskRequirements.model_validate(RISK)
    assert risk_table(said, "risk", platform=True) == TABLE
    tenants = risk_table(said, "risk", platform=False)
    assert tenants is not None
    assert not tenants.platform
    assert risk_table(None, "risk", platform=True) is None


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"tools": [RISK["tools"][0] | {"capability": "chat"}]}, "risk.tools[db_*].capability"),
    ({"floors": RISK["floors"] * 2}, "risk.floors"),
    ({"floors": [{"kind": "actionClass", "name": "pays", "band": "high"}]}, "risk.floors"),
    ({"weights": [{"actionClass": "pay", "score": 1}]}, "risk.weights[pay].score"),
]


@pytest.mark.parametrize(("said", "field"), WRONG, ids=[row[1] for row in WRONG])
def test_risk_that_cannot_be_meant_does_not_compile(said: dict[str, Any], field: str) -> None:
    """The schema says some of it too; policies also come from files."""
    with pytest.raises(InvalidInput) as caught:
        risk_table(RiskRequirements.model_validate(said), "risk", platform=True)
    assert caught.value.field == field


def test_votes_compile_to_what_the_sidecar_goes_by() -> None:
    """Every field; people alone leave the rest as by default."""
    said = VotingRequirements.model_validate(
        {"fastMilliseconds": 100, "strictMilliseconds": 900, "veto": "any", "holdSeconds": 60}
    )
    holds = NamedApprovers.model_validate(HOLDS)
    group = Approvers(2, tuple(named.public_key for named in holds.keys))
    assert voting(said, holds, "spec") == Voting(100, 900, True, 60, (group,))
    assert voting(None, holds, "spec") == Voting(approvers=(group,))
    assert voting(None, None, "spec") is None
    assert voting(VotingRequirements(), None, "spec") == VOTING


def test_people_must_be_different() -> None:
    """One key under two names is one person."""
    twice = NamedApprovers.model_validate({"threshold": 2, "keys": signers(CHIEF, CHIEF)["keys"]})
    with pytest.raises(InvalidInput) as caught:
        voting(None, twice, "spec")
    assert caught.value.field == "spec.holds"


def test_the_schema_knows_every_class_band_and_kind() -> None:
    """What the API server takes, the core has a word for, and the other way round."""
    assert set(get_args(AnyClass)) == set(ActionClass)
    assert set(ActionClass) - set(get_args(DeclaredClass)) == {"answer", "unknown"}
    fields = RiskFloor.model_fields
    assert set(get_args(fields["band"].annotation)) == set(Band) - {Band.LOCAL}
    assert set(get_args(fields["kind"].annotation)) == set(FloorKind)


def test_the_schemas_bounds_are_the_sidecars() -> None:
    """What the schema takes at its edges, the rules take too; and the defaults are the same."""
    for milliseconds in (limits.BUDGET_MS_MIN, limits.BUDGET_MS_MAX):
        for seconds in (limits.HOLD_LIFE_MIN, limits.HOLD_LIFE):
            said = VotingRequirements(
                fast_milliseconds=milliseconds,
                strict_milliseconds=milliseconds,
                hold_seconds=seconds,
            )
            made = voting(said, None, "spec")
            assert made is not None
            assert convert(msgspec.to_builtins(made), Voting, "voting") == made
