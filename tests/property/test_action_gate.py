"""The gate, whatever a client says, a model answers and policies hold risky."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus.conversation import Said
from quorate.consensus.request import Band
from quorate.consensus.thresholds import PRESETS
from quorate.risk.actions import Action, actions
from quorate.risk.rules import RiskTable
from quorate_sidecar.actions.scene import Scene
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.refusal import Code, Refusal
from tests.fakes.acting import Acting, acting
from tests.fakes.committee import APPROVE, DENY, FakeCommittee
from tests.property.test_risk import answers, histories, policies

COMMITTEES = {judgement: FakeCommittee(PRESETS["dev"]) for judgement in (APPROVE, DENY)}
for said_of_all, committee in COMMITTEES.items():
    committee.members[0].judgement = said_of_all


async def outcome(
    one: Acting, history: Sequence[Said], answer: Said, found: frozenset[str]
) -> Refusal | None:
    """Why the answer may not leave, or None. Anything else that is raised fails the test."""
    exchange = Exchange(0.0, state=one.standing.state)
    exchange.request_tally = {(name, "rule", "flag"): 1 for name in found}
    scene = one.gate.enter(exchange, None)
    scene = Scene(
        tuple(history), scene.principal, scene.rules, scene.found, scene.target, streams_prose=False
    )
    try:
        await one.gate.decide(exchange, scene, [(0, answer)], {})
    except Refusal as refusal:
        return refusal
    return None


@pytest.mark.requirement("fail-closed: what members deny never passes, whatever it is made of")
@given(
    history=histories,
    answer=answers.filter(lambda one: one is not None),
    tables=policies,
    found=st.frozensets(st.sampled_from(["pii", "secrets"])),
)
@settings(deadline=None, max_examples=60)
def test_what_is_not_local_passes_by_the_members_only(
    history: list[Said], answer: Said, tables: list[RiskTable], found: frozenset[str]
) -> None:
    """With members that deny everything only what is local in every part passes; with members that
    approve, only what can be asked about and needs no person. Every asked action has its record."""
    parts = actions(history, answer, tables, found)
    bands = [one.assessment.risk.band for one in parts if isinstance(one, Action)]
    whole = len(bands) == len(parts)
    for judgement, passing in (
        (DENY, {Band.LOCAL}),
        (APPROVE, {Band.LOCAL, Band.MEDIUM, Band.HIGH}),
    ):

        async def run(committee: FakeCommittee) -> tuple[Acting, Refusal | None]:
            one = await acting(committee, risk=tuple(tables))
            return one, await outcome(one, history, answer, found)

        one, refusal = asyncio.run(run(COMMITTEES[judgement]))
        if refusal is None:
            assert whole
            assert set(bands) <= passing
            asked = [body for body in one.actions if body.decided_by != "sidecar"]
            assert len(asked) == sum(band is not Band.LOCAL for band in bands)
            assert all(body.decision == "approve" and body.votes for body in asked)
        else:
            assert refusal.code in (Code.ACTION, Code.HELD)


@given(envelope=st.binary(max_size=300))
@settings(deadline=None, max_examples=50)
def test_no_bytes_are_a_decision(envelope: bytes) -> None:
    """What people did not sign is refused, whatever it is."""

    async def run() -> None:
        one = await acting(COMMITTEES[APPROVE])
        with pytest.raises(Refusal) as caught:
            one.gate.take_decision(envelope)
        assert caught.value.code is Code.DECISION

    asyncio.run(run())
