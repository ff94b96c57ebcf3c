"""The history checker: what must hold of every run, decided from bytes. No code of the protocol.

It reads the messages' fields by their places, hashes and verifies for itself, and counts for
itself. Each rule yields sentences about what is wrong; none is what must be found.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.sim import history as facts
from tests.sim.history import History

VOTE_TAG = b"quorate.dev/vote/v1\0"
DELEGATION_TAG = b"quorate.dev/delegation/v1\0"
RECORD_TAG = b"quorate.dev/epoch/v1\0"
REQUEST_TAG = b"quorate.dev/request/v1\0"
BALLOT_TAG = b"quorate.dev/ballot/v1\0"
FREEZE_TAG = b"quorate.dev/freeze/v1\0"
LATE_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Said:
    """One ballot, read from its bytes."""

    member: str
    place: tuple[int, int]
    previous: bytes
    about: tuple[bytes, str, bytes]
    """Request digest, tier, epoch."""
    ask: tuple[bytes, bytes]
    """Nonce, audience."""
    approves: bool
    hard: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Rules:
    """One epoch record as the checker reads it."""

    number: int
    previous: str | None
    change: str
    n: int
    fast: int
    strict: int
    liars: int
    keys: dict[str, str]
    away: frozenset[str]
    admins: frozenset[str]
    admins_needed: int
    released: frozenset[str]

    def needed(self, tier: str, veto: bool) -> int:
        if veto:
            return self.n
        return {"fast": self.fast, "strict": self.strict}[tier]


def read_rules(record: bytes) -> Rules:
    """Read a record."""
    r = json.loads(record)
    t, seats = r["thresholds"], r["seats"]
    return Rules(
        number=r["number"],
        previous=r["previous"],
        change=r["change"],
        n=t["n"],
        fast=t["fast"],
        strict=t["strict"],
        liars=t["r"],
        keys={seat["name"]: seat["key"] for seat in seats},
        away=frozenset(seat["name"] for seat in seats if seat["quarantined"]),
        admins=frozenset(r["admins"]["keys"]),
        admins_needed=r["admins"]["needed"],
        released=frozenset(r["released"]),
    )


class Reading:
    """A history with what follows from it: epochs by digest, ballots read once."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.by_kind: dict[type, list[Any]] = defaultdict(list)
        for fact in history.facts:
            self.by_kind[type(fact)].append(fact)
        self.epochs: dict[bytes, Rules] = {}
        records = [history.genesis, *(one.record for one in self.by_kind[facts.Opened])]
        for record in records:
            digest = hashlib.sha256(record).digest()
            if digest not in self.epochs:
                self.epochs[digest] = read_rules(record)
        self._read: dict[bytes, Said | None] = {}

    def ballot(self, data: bytes) -> Said | None:
        """The ballot in a vote's bytes if its signatures are genuine, else None."""
        if data not in self._read:
            self._read[data] = self._ballot(data)
        return self._read[data]

    def _ballot(self, data: bytes) -> Said | None:
        try:
            tag, ballot, delegation = msgspec.msgpack.decode(data)
            if tag != "vote":
                return None
            return self.genuine(ballot, delegation)
        except (msgspec.DecodeError, ValueError, TypeError):
            return None

    def genuine(self, ballot: list[Any], delegation: list[Any]) -> Said | None:
        """The ballot, if a member's identity key vouches for the key that signed it."""
        body = msgspec.msgpack.decode(ballot[0])
        (_, member, incarnation, sequence, previous, request, tier, epoch, nonce, audience) = body[
            :10
        ]
        _, by, life, key, its_epoch = msgspec.msgpack.decode(delegation[0])
        rules = self.epochs.get(epoch)
        signed = self.history.signed
        if rules is None or member not in rules.keys or (by, life) != (member, incarnation):
            return None
        if its_epoch != epoch or not signed(key, ballot[1], VOTE_TAG + ballot[0]):
            return None
        if not signed(rules.keys[member], delegation[1], DELEGATION_TAG + delegation[0]):
            return None
        return Said(
            member=member,
            place=(incarnation, sequence),
            previous=previous,
            about=(request, tier, epoch),
            ask=(nonce, audience),
            approves=body[10] == 1,
            hard=bool(body[11]),
            body=ballot[0],
        )

    def is_honest(self, member: str) -> bool:
        return member not in self.history.faulty


def check(history: History) -> list[str]:
    """Everything that is wrong with a run."""
    reading = Reading(history)
    return [f"{rule.__name__}: {line}" for rule in RULES for line in rule(reading)]


# Rules ----------------------------------------------------------------------------------------


def approvals_have_certificates(reading: Reading) -> Iterator[str]:
    """Nobody acts without a certificate of enough members on exactly what was asked."""
    begun = {(one.asker, one.nonce): one for one in reading.by_kind[facts.Began]}
    for act in reading.by_kind[facts.Acted]:
        ask = begun.get((act.asker, act.nonce))
        if ask is None:
            yield f"{act.asker} acted on what it had not asked"
            continue
        rules = reading.epochs[ask.epoch]
        about = (hashlib.sha256(REQUEST_TAG + ask.request).digest(), ask.tier, ask.epoch)
        voters: set[str] = set()
        for ballot, delegation in _votes(act.certificate):
            said = reading.genuine(ballot, delegation)
            if said is None or not said.approves or said.member in rules.away:
                yield f"{act.asker} acted on a certificate with a vote that is none"
            elif (said.about, said.ask) != (about, (ask.nonce, ask.audience)):
                yield f"{act.asker} acted on a vote of {said.member} on something else"
            else:
                voters.add(said.member)
        if len(voters) < rules.needed(ask.tier, ask.veto):
            yield f"{act.asker} acted on {len(voters)} votes of {sorted(voters)}"
        faulty = voters & reading.history.faulty
        if ask.truth == "unsafe" and len(faulty) <= rules.liars:
            yield f"{act.asker} did something unsafe that {sorted(voters)} approved"


def _votes(certificate: bytes) -> list[tuple[list[Any], list[Any]]]:
    _, votes = msgspec.msgpack.decode(certificate)
    return [(ballot, delegation) for _, ballot, delegation in votes]


def nonces_are_used_once(reading: Reading) -> Iterator[str]:
    """One nonce, one ask, one act at the most, and none after the ask was denied or over."""
    asked: set[bytes] = set()
    for ask in reading.by_kind[facts.Began]:
        if ask.nonce in asked:
            yield f"{ask.asker} asked twice with one nonce"
        asked.add(ask.nonce)
    begun = {one.nonce: one for one in reading.by_kind[facts.Began]}
    denied: set[bytes] = set()
    acted: set[bytes] = set()
    for fact in reading.history.facts:
        if isinstance(fact, facts.Ended) and fact.decision != "Approve":
            denied.add(fact.nonce)
        elif isinstance(fact, facts.Acted):
            if fact.nonce in acted:
                yield f"{fact.asker} acted twice on one nonce"
            if fact.nonce in denied:
                yield f"{fact.asker} acted on what was denied"
            ask = begun.get(fact.nonce)
            if ask is not None and fact.at > ask.at + ask.budget + LATE_SECONDS:
                yield f"{fact.asker} acted after its budget"
            acted.add(fact.nonce)


def approvals_stand(reading: Reading) -> Iterator[str]:
    """Whatever ends in an approval comes with a certificate that its own asker can act on."""
    acted = {act.nonce for act in reading.by_kind[facts.Acted]}
    for end in reading.by_kind[facts.Ended]:
        if end.decision == "Approve" and end.nonce not in acted:
            yield f"{end.asker} had an approval that did not verify"


def asks_end_in_time(reading: Reading) -> Iterator[str]:
    """Every ask ends once, within its budget."""
    ends: dict[bytes, list[float]] = defaultdict(list)
    for end in reading.by_kind[facts.Ended]:
        ends[end.nonce].append(end.at)
    for ask in reading.by_kind[facts.Began]:
        times = ends[ask.nonce]
        if len(times) != 1:
            yield f"an ask of {ask.asker} ended {len(times)} times"
        elif times[0] > ask.at + ask.budget + LATE_SECONDS:
            yield f"an ask of {ask.asker} took {times[0] - ask.at:.3f} of {ask.budget} s"


def honest_members_tell_one_story(reading: Reading) -> Iterator[str]:
    """No DENY is taken back within an epoch, one place holds one ballot, places are chained."""
    stories: dict[str, dict[tuple[int, int], Said]] = defaultdict(dict)
    for vote in reading.by_kind[facts.Voted]:
        if not reading.is_honest(vote.member):
            continue
        said = reading.ballot(vote.data)
        if said is None or said.member != vote.member:
            yield f"{vote.member} sent a vote that does not verify"
            continue
        other = stories[vote.member].setdefault(said.place, said)
        if other.body != said.body:
            yield f"{vote.member} has two ballots at {said.place}"
    for member, story in stories.items():
        yield from _one_story(member, story)


def _one_story(member: str, story: dict[tuple[int, int], Said]) -> Iterator[str]:
    denied: set[tuple[bytes, str, bytes]] = set()
    for place in sorted(story):
        said = story[place]
        if not said.approves:
            denied.add(said.about)
        elif said.about in denied:
            yield f"{member} approved at {place} what it had denied"
        before = story.get((place[0], place[1] - 1))
        if before and hashlib.sha256(BALLOT_TAG + before.body).digest() != said.previous:
            yield f"{member}'s ballot at {place} does not follow the one before"


def strict_certificates_agree(reading: Reading) -> Iterator[str]:
    """An approval and a denial by quorums share an honest member that tightened its verdict.

    In one epoch and for one request: a strict quorum's APPROVE ballots on one ask, and DENY
    ballots of another strict quorum, contradict each other unless some honest member signed both,
    the APPROVE first. So nobody can be shown "approved" and "never approved" at once.
    """
    approvals: dict[Any, dict[str, Said]] = defaultdict(dict)
    denials: dict[Any, dict[str, Said]] = defaultdict(dict)
    for vote in reading.by_kind[facts.Voted]:
        said = reading.ballot(vote.data)
        if said is None or said.about[1] != "strict":
            continue
        if said.approves:
            approvals[(said.about, said.ask)].setdefault(said.member, said)
        else:
            denials[said.about][said.member] = said
    for (about, _), yes in approvals.items():
        rules, no = reading.epochs[about[2]], denials.get(about, {})
        if min(len(yes.keys() - rules.away), len(no.keys() - rules.away)) < rules.strict:
            continue
        if not any(
            reading.is_honest(member) and yes[member].place < no[member].place
            for member in yes.keys() & no.keys()
        ):
            yield f"{sorted(yes)} approved and {sorted(no)} denied one request"


def hard_denials_hold(reading: Reading) -> Iterator[str]:
    """No strict approval is acted on when a hard denial was heard before its quorum was. Of a
    member that says both, the first counts."""
    begun = {one.nonce: one for one in reading.by_kind[facts.Began]}
    heard: set[bytes] = set()
    counted: set[tuple[bytes, str]] = set()
    for fact in reading.history.facts:
        if isinstance(fact, facts.Heard):
            said = reading.ballot(fact.data)
            ask = begun[fact.nonce]
            if said is None or said.member in reading.epochs[ask.epoch].away:
                continue
            if ask.tier != "strict":
                continue
            about = (hashlib.sha256(REQUEST_TAG + ask.request).digest(), ask.tier, ask.epoch)
            place = (fact.nonce, fact.member)
            if (said.about, said.ask) != (about, (ask.nonce, ask.audience)) or place in counted:
                continue
            counted.add(place)
            if said.hard and not said.approves and said.member == fact.member:
                heard.add(fact.nonce)
        elif isinstance(fact, facts.Acted) and fact.nonce in heard:
            yield f"{fact.asker} acted in spite of a hard denial"


def freezes_hold(reading: Reading) -> Iterator[str]:
    """Who knows a freeze neither votes for nor begins what it covers; and each was signed."""
    known: dict[str, dict[str, facts.FreezeKnown]] = defaultdict(dict)
    rules: dict[str, Rules] = defaultdict(lambda: read_rules(reading.history.genesis))
    for fact in reading.history.facts:
        if isinstance(fact, facts.Started):
            known[fact.member].clear()
            rules.pop(fact.member, None)
        elif isinstance(fact, facts.Opened):
            rules[fact.who] = read_rules(fact.record)
        elif isinstance(fact, facts.FreezeKnown):
            if not _is_ordered(fact, rules[fact.who], reading):
                yield f"{fact.who} obeys a freeze that {[s for s, _ in fact.signers]} signed"
            known[fact.who][fact.order] = fact
        elif isinstance(fact, facts.Voted) and reading.is_honest(fact.member):
            for order, freeze in known[fact.member].items():
                covers = freeze.place in ("", fact.place)
                if covers and fact.wall < freeze.ends and order not in rules[fact.member].released:
                    yield f"{fact.member} voted at {fact.at:.4f} under a freeze"


def _is_ordered(freeze: facts.FreezeKnown, rules: Rules, reading: Reading) -> bool:
    members: set[str] = set()
    for signer, signature in freeze.signers:
        key = rules.keys.get(signer, signer)
        if not reading.history.signed(key, signature, FREEZE_TAG + freeze.body):
            continue
        if signer in rules.admins:
            return True
        if signer in rules.keys and signer not in rules.away:
            members.add(signer)
    return len(members) > rules.liars


def epochs_form_one_chain(reading: Reading) -> Iterator[str]:
    """Everybody follows the same records in the same order, each signed by whom it needs."""
    first = hashlib.sha256(reading.history.genesis).digest()
    chain: dict[int, bytes] = {0: first}
    heads: dict[str, bytes] = defaultdict(lambda: first)
    for opened in reading.history.facts:
        if isinstance(opened, facts.Started):
            heads[opened.member] = first
        if not isinstance(opened, facts.Opened):
            continue
        digest = hashlib.sha256(opened.record).digest()
        rules, before = reading.epochs[digest], reading.epochs[heads[opened.who]]
        if chain.setdefault(rules.number, digest) != digest:
            yield f"{opened.who} follows another number {rules.number}"
        if rules.previous != f"sha256:{heads[opened.who].hex()}" or rules.number != (
            before.number + 1
        ):
            yield f"{opened.who} skips from {before.number} to {rules.number}"
        heads[opened.who] = digest
        members, admins = _signers(opened, before, reading)
        need = 0 if rules.change == "Recovery" else before.strict
        if len(members) < need:
            yield f"number {rules.number} was opened with {sorted(members)}"
        if rules.change != "Quarantine" and len(admins) < before.admins_needed:
            yield f"number {rules.number} was opened with {len(admins)} administrators"


def _signers(opened: facts.Opened, before: Rules, reading: Reading) -> tuple[set[str], set[str]]:
    data, signed = RECORD_TAG + opened.record, reading.history.signed
    members = {
        name
        for name, signature in opened.members
        if name in before.keys
        and name not in before.away
        and signed(before.keys[name], signature, data)
    }
    admins = {
        key
        for key, signature in opened.admins
        if key in before.admins and signed(key, signature, data)
    }
    return members, admins


def honest_members_choose_once(reading: Reading) -> Iterator[str]:
    """An honest member signs one record for each number."""
    chosen: dict[tuple[str, int], bytes] = {}
    for one in reading.by_kind[facts.Endorsed]:
        number = json.loads(one.record)["number"]
        digest = hashlib.sha256(one.record).digest()
        first = chosen.setdefault((one.member, number), digest)
        if first != digest and reading.is_honest(one.member):
            yield f"{one.member} signed two records as number {number}"


def quarantine_takes_only_liars(reading: Reading) -> Iterator[str]:
    """Nobody is quarantined that did nothing wrong; never more than r; n and q stay."""
    for rules in reading.epochs.values():
        framed = rules.away - reading.history.faulty | rules.away & reading.history.unconvictable
        if framed:
            yield f"{sorted(framed)} under quarantine"
        if len(rules.away) > rules.liars:
            yield f"{sorted(rules.away)} under quarantine; r = {rules.liars}"
        before = reading.epochs.get(bytes.fromhex((rules.previous or "")[7:]))
        if before is None or rules.change in ("Membership", "Recovery"):
            continue
        if _size(before) != _size(rules) or before.keys.keys() != rules.keys.keys():
            yield f"a {rules.change} changed {_size(before)} to {_size(rules)}"


def _size(rules: Rules) -> tuple[int, int, int, int]:
    return rules.n, rules.fast, rules.strict, rules.liars


def calm_worlds_decide(reading: Reading) -> Iterator[str]:
    """With nothing lost or late, what enough honest members approve is approved, or held by a
    liar's hard denial; and a liar that canaries find is found."""
    history = reading.history
    if not history.calm:
        return
    ends = {one.nonce: one for one in reading.by_kind[facts.Ended]}
    changes = [*reading.by_kind[facts.Opened], *reading.by_kind[facts.FreezeKnown]]
    change = min((one.at for one in changes), default=math.inf)
    for ask in reading.by_kind[facts.Began]:
        rules, end = reading.epochs[ask.epoch], ends.get(ask.nonce)
        able = len(rules.keys.keys() - history.faulty - history.silent)
        if ask.truth != "safe" or end is None or end.at >= change:
            continue
        held = end.decision == "Hold" and ask.tier == "strict" and history.faulty
        if able >= rules.needed(ask.tier, ask.veto) and end.decision != "Approve" and not held:
            yield f"a safe ask of {ask.asker} ended in {end.decision}, {end.cause}"
    away = {name for rules in reading.epochs.values() for name in rules.away}
    if history.must_find and history.must_find not in away:
        yield f"{history.must_find} was not found"


RULES: tuple[Callable[[Reading], Iterator[str]], ...] = (
    approvals_have_certificates,
    nonces_are_used_once,
    approvals_stand,
    asks_end_in_time,
    honest_members_tell_one_story,
    strict_certificates_agree,
    hard_denials_hold,
    freezes_hold,
    epochs_form_one_chain,
    honest_members_choose_once,
    quarantine_takes_only_liars,
    calm_worlds_decide,
)
