"""Holds under any order of asking, deciding, replaying and waiting."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quorate import names
from quorate.consensus.ask import Decision as Asked
from quorate.consensus.hold import HOLDS_MAX, Holds, Terms, decide, people, settle
from quorate.consensus.hold_decision import HoldDecision, statement
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.keys import LocalSigner

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIFE = timedelta(seconds=600)
KEYS = [
    LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(1, 5)
]
NAMED = KEYS[:3]
"""The fourth is a stranger's."""
DIGEST = f"sha256:{'d' * 64}"
APPROVERS = [people([one.public_key.pem for one in NAMED], 2)]
WHAT = [
    Terms("c", f"sha256:{char * 64}", (f"sha256:{'b' * 64}",), f"sha256:{'c' * 64}", DIGEST)
    for char in "12"
]


class HoldMachine(RuleBasedStateMachine):
    """Everything anybody signs stays around, to be sent again."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.holds = Holds()
        self.signed: list[tuple[HoldDecision, frozenset[int], bytes]] = []
        self.rested_on: list[HoldDecision] = []

    @rule(
        terms=st.sampled_from(WHAT),
        who=st.sampled_from([(0, 1), (1, 2), (0, 1, 2), (0,), (0, 3)]),
        said=st.sampled_from([Decision.APPROVED, Decision.APPROVED, Decision.REJECTED]),
        began=st.sampled_from([0, 0, -40, 5, 60]),
        longer=st.sampled_from([0, 0, -500, 1, 700]),
    )
    def sign(
        self, terms: Terms, who: tuple[int, ...], said: Decision, began: int, longer: int
    ) -> None:
        """Some people decide something, whether or not it is held, about as long as it is."""
        hold = self.holds.by_id.get(terms.hold_id)
        end = hold.expires_at if hold else self.now + LIFE
        decided = self.now + timedelta(seconds=began)
        decision = HoldDecision(
            hold_id=terms.hold_id,
            decision=said,
            reason=f"{len(self.signed)}",
            decided_at=decided,
            expires_at=max(end + timedelta(seconds=longer), decided + timedelta(seconds=1)),
        )
        envelope = dsse.sign(statement(decision), names.INTOTO_TYPE, [KEYS[n] for n in who])
        self.signed.append((decision, frozenset(who), envelope))

    @precondition(lambda self: self.signed)
    @rule()
    def send_newest(self) -> None:
        """What was signed last arrives."""
        self._send(self.signed[-1][2])

    @precondition(lambda self: self.signed)
    @rule(number=st.integers(0, 7))
    def send(self, number: int) -> None:
        """Somebody sends an older one, perhaps again."""
        self._send(self.signed[-1 - number % len(self.signed)][2])

    def _send(self, envelope: bytes) -> None:
        before = self.holds
        try:
            self.holds, _ = decide(self.holds, envelope, APPROVERS, self.now)
        except QuorateError:
            assert self.holds is before

    @rule(
        terms=st.sampled_from(WHAT),
        asked=st.sampled_from([Asked.HOLD, Asked.APPROVE, Asked.HOLD, Asked.DENY]),
        human=st.sampled_from([True, True, False]),
    )
    def ask(self, terms: Terms, asked: Asked, human: bool) -> None:
        """The action is asked about."""
        self.holds, found = settle(self.holds, asked, terms, self.now, LIFE, human=human)
        if asked is Asked.DENY:
            assert found.decision is Asked.DENY
            return
        if found.decision is not Asked.APPROVE or (asked is Asked.APPROVE and not human):
            return
        assert found.hold is not None
        decision = found.hold.decision
        assert decision is not None
        self._check(terms, decision, found.hold.opened_at)
        self.rested_on.append(decision)

    def _check(self, terms: Terms, decision: HoldDecision, opened_at: datetime) -> None:
        """It rests on an approval of exactly this, by enough people, that counts now."""
        assert decision.hold_id == terms.hold_id
        assert decision.decision is Decision.APPROVED
        assert opened_at <= decision.decided_at
        assert self.now < decision.expires_at <= opened_at + LIFE
        assert any(one == decision and len(who & {0, 1, 2}) >= 2 for one, who, _ in self.signed)

    @rule(seconds=st.sampled_from([1, 1, 30, 300, 600]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def nothing_serves_twice(self) -> None:
        """No decision carries two actions, and the table stays small."""
        assert len(self.rested_on) == len(set(self.rested_on))
        assert len(self.holds.by_id) <= HOLDS_MAX


HoldMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestHolds = pytest.mark.requirement(
    "HOLD: single use, for exactly one request, policy, epoch and audience"
)(HoldMachine.TestCase)
