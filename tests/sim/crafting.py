"""Votes that no machine made: what a liar can sign with the keys it has, and send without."""

import msgspec

from quorate.consensus import wire
from quorate.consensus.signing import DELEGATION_TAG, sign_ballot
from quorate.consensus.wire import Ask, Ballot, Delegation, Signed, Verdict, Vote
from tests.sim.node import JUDGES, Node


def delegation(node: Node, epoch: bytes, *, member: str | None = None) -> Signed:
    """A delegation by ``node``'s identity key, perhaps in the name of another member."""
    name = member or node.name
    body = wire.encode(Delegation(wire.VERSION, name, node.incarnation, node.signer.public, epoch))
    return Signed(body, node.identity.sign(DELEGATION_TAG + body))


def ballot(node: Node, ask: Ask, verdict: Verdict, *, sequence: int, score: int = 500) -> Ballot:
    """A ballot of ``node`` on ``ask``, at whatever place in its sequence."""
    return Ballot(
        version=wire.VERSION,
        member=node.name,
        incarnation=node.incarnation,
        sequence=sequence,
        previous=bytes(32),
        request=wire.request_digest(ask.request),
        tier=ask.tier,
        epoch=ask.epoch,
        nonce=ask.nonce,
        audience=ask.audience,
        verdict=verdict,
        hard=verdict is Verdict.DENY,
        score=score,
        reasons=(),
        judges=JUDGES,
    )


def vote(node: Node, cast: Ballot, *, member: str | None = None) -> Vote:
    """``cast`` signed with ``node``'s vote key and delegated by its identity key."""
    return Vote(sign_ballot(cast, node.signer), delegation(node, cast.epoch, member=member))


def rename(cast: Ballot, member: str) -> Ballot:
    """The same ballot in another member's name."""
    return msgspec.structs.replace(cast, member=member)


def turned(one: Vote) -> Vote:
    """A vote whose verdict somebody turned after it was signed."""
    cast = wire.decode(one.ballot.body, Ballot)
    other = Verdict.APPROVE if cast.verdict is Verdict.DENY else Verdict.DENY
    body = wire.encode(msgspec.structs.replace(cast, verdict=other))
    return Vote(Signed(body, one.ballot.signature), one.delegation)
