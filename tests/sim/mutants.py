"""Protocol bugs, each a small change of the core's source that somebody must notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """In ``file`` of ``core/quorate/consensus``, ``old`` (there exactly once) becomes ``new``."""

    name: str
    file: str
    old: str
    new: str


def _mutant(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name, f"{file}.py", old, new)


MUTANTS = (
    # How many --------------------------------------------------------------------------------
    _mutant(
        "quorums may share only liars",
        "thresholds",
        "if 2 * strict - n <= r:",
        "if 2 * strict - n < r:",
    ),
    _mutant(
        "strict needs what fast needs",
        "thresholds",
        "return self.strict if tier is Tier.STRICT else self.fast",
        "return self.fast",
    ),
    _mutant(
        "an approval too few",
        "approval",
        "if len(voters) < needed:",
        "if len(voters) < needed - 1:",
    ),
    _mutant(
        "duplicates count",
        "approval",
        "if len(voters) < needed:",
        "if len(parsed.votes) < needed:",
    ),
    _mutant(
        "a veto needs no more than a quorum",
        "approval",
        "thresholds.n if veto else thresholds.needed(subject.tier)",
        "thresholds.needed(subject.tier)",
    ),
    _mutant(
        "q shrinks with those who deny",
        "ask",
        "if len(asking.approvals) >= asking.needed:",
        "if asking.approvals and len(asking.approvals) >= asking.needed - asking.lost:",
    ),
    # Whose and about what --------------------------------------------------------------------
    _mutant(
        "vote signatures are not verified",
        "signing",
        "if not signatures.by_vote_key(",
        "if False and not signatures.by_vote_key(",
    ),
    _mutant(
        "delegations are not verified",
        "signing",
        "if not signatures.by_identity(seat.key, vote.delegation.signature, signed):",
        "if False:",
    ),
    _mutant(
        "another epoch's votes count",
        "signing",
        "if ballot.epoch != epoch.digest or delegation.epoch != epoch.digest:",
        "if False:",
    ),
    _mutant(
        "another's delegation counts",
        "signing",
        "if (delegation.member, delegation.incarnation) != (ballot.member, ballot.incarnation):",
        "if False:",
    ),
    _mutant(
        "a certificate may be about anything",
        "approval",
        "        subject.check(ballot)\n",
        "",
    ),
    _mutant(
        "the nonce is not compared",
        "approval",
        '("request", "tier", "nonce", "audience")',
        '("request", "tier", "audience")',
    ),
    _mutant(
        "the tier is not compared",
        "approval",
        '("request", "tier", "nonce", "audience")',
        '("request", "nonce", "audience")',
    ),
    _mutant(
        "denials approve",
        "approval",
        "if ballot.verdict is not Verdict.APPROVE:",
        "if False:",
    ),
    _mutant(
        "an asker takes votes on anything", "ask", "        asking.subject.check(ballot)\n", ""
    ),
    _mutant(
        "anybody's vote counts for anybody",
        "ask",
        "if ballot.member != member:",
        "if False:",
    ),
    # When ------------------------------------------------------------------------------------
    _mutant(
        "asks do not end",
        "ask",
        "if asking.outcome is None and now >= asking.deadline:",
        "if False:",
    ),
    _mutant(
        "a later epoch changes nothing",
        "ask",
        "            return _end(asking, Decision.DENY, Cause.EPOCH_SUPERSEDED)",
        "            return asking, ()",
    ),
    _mutant(
        "denied as soon as it could be",
        "ask",
        "if asking.lost > asking.epoch.record.thresholds.n - asking.needed:",
        "if asking.lost >= asking.epoch.record.thresholds.n - asking.needed:",
    ),
    _mutant(
        "hard denials are like others",
        "ask",
        "if asking.hard and asking.subject.tier is Tier.STRICT:",
        "if False:",
    ),
    _mutant(
        "a member counts as often as it answers",
        "ask",
        "if member in asking.answered or asking.outcome is not None:",
        "if asking.outcome is not None:",
    ),
    # A member's story ------------------------------------------------------------------------
    _mutant("verdicts do not stick", "member", "if judgement is not None:", "if False:"),
    _mutant(
        "what is not kept is said",
        "member",
        "sent = [unsent for unsent in member.unsent if unsent.sequence <= sequence]",
        "sent = list(member.unsent)",
    ),
    _mutant(
        "a full disk keeps quiet",
        "member",
        "if event.judgement.verdict is Verdict.DENY and kept.is_full():",
        "if False:",
    ),
    _mutant(
        "another epoch's asks are answered",
        "member",
        "if ask.epoch != member.epoch.digest:",
        "if False:",
    ),
    _mutant(
        "one place holds many ballots",
        "member",
        "sequence=ballot.sequence,",
        "sequence=member.sequence,",
    ),
    _mutant(
        "ballots are not chained",
        "member",
        "previous=wire.ballot_digest(signed.body),",
        "previous=member.previous,",
    ),
    _mutant(
        "a freeze does not reach the judges",
        "member",
        "member = replace(member, freezes=freezes, waiting=held, unsent=unsent)",
        "return replace(member, freezes=freezes), ()",
    ),
    _mutant(
        "a freeze is for others",
        "member",
        "if member.freezes.covering(event.target, member.epoch, event.now) is not None:",
        "if False:",
    ),
    _mutant(
        "an epoch change answers old asks",
        "member",
        "delegation=delegation, waiting={}, unsent=(), asks=0)",
        "delegation=delegation, waiting={}, asks=0)",
    ),
    # The chain -------------------------------------------------------------------------------
    _mutant(
        "a member may choose twice",
        "chain",
        "if link.chosen not in (None, _digest(event.record)):",
        "if False:",
    ),
    _mutant(
        "a choice is signed before it is kept",
        "chain",
        "    if link.waiting:\n",
        "    if False:\n",
    ),
    _mutant("doubt does not matter", "chain", "if event.doubt is not None:", "if False:"),
    _mutant(
        "a record needs one signature less",
        "succession",
        "if len(members) < need.members:",
        "if len(members) < need.members - 1:",
    ),
    _mutant(
        "members loosen without administrators",
        "succession",
        "if len(admins) < needed:",
        "if False:",
    ),
    _mutant(
        "a record may follow another",
        "succession",
        "if record.previous != before.digest_text:",
        "if False:",
    ),
    _mutant(
        "record signatures are not verified",
        "succession",
        "and signatures.by_identity(seat.key, endorsement.signature, data)",
        "and endorsement.signature",
    ),
    _mutant(
        "liars come back with their key",
        "succession",
        "if epochs.material_of(seat.key) in away and not seat.quarantined:",
        "if False:",
    ),
    # Freezes and quarantine ------------------------------------------------------------------
    _mutant(
        "r members freeze",
        "freeze",
        "needed = epoch.record.thresholds.r + 1",
        "needed = epoch.record.thresholds.r",
    ),
    _mutant(
        "a freeze of everything covers nothing",
        "freeze",
        "if order.scope is Scope.CLUSTER:\n            return True",
        "if order.scope is Scope.CLUSTER:\n            return False",
    ),
    _mutant(
        "who alone is right is accused",
        "detector",
        "return 2 * right > len(others)",
        "return True",
    ),
    _mutant("one mistake is a lie", "detector", "ALARM: Final = 11.5", "ALARM: Final = 1.5"),
    _mutant("nobody is ever accused", "detector", "ALARM: Final = 11.5", "ALARM: Final = 50.0"),
    _mutant(
        "slowness is a lie",
        "detector",
        "if own is None or own.verdict is canary.right or is_unjudged(own):",
        "if own is None or own.verdict is canary.right:",
    ),
    _mutant(
        "tightening is a contradiction",
        "equivocation",
        "return first.verdict is Verdict.DENY and second.verdict is Verdict.APPROVE",
        "return first.verdict is not second.verdict",
    ),
    _mutant(
        "one place may hold two ballots",
        "equivocation",
        "    if place == other_place:\n        return True\n",
        "",
    ),
    _mutant(
        "evidence convicts whom the record names",
        "quarantine",
        "if expected.seats != record.seats:",
        "if False:",
    ),
    _mutant(
        "quarantined members count",
        "epoch",
        "frozenset(name for name, seat in self._seats.items() if not seat.quarantined)",
        "frozenset(name for name, seat in self._seats.items())",
    ),
    _mutant(
        "canaries are made up afterwards",
        "canary",
        "if not merkle.includes(expected, leaf, revealed.index, revealed.size, revealed.path):",
        "if False:",
    ),
    # Shadow ----------------------------------------------------------------------------------
    _mutant(
        "an asker counts votes in shadow",
        "ask",
        "    if seat.quarantined:\n        return asking, (heard,)\n",
        "",
    ),
    _mutant(
        "a certificate counts votes in shadow",
        "approval",
        "if seat.quarantined:",
        "if False:",
    ),
    _mutant(
        "whoever comes back leaves out what it had wrong",
        "clean_run",
        "(now.canary.right, now.index) == (before.canary.right, before.index + 1)",
        "now.index > before.index",
    ),
    _mutant(
        "wrong answers are clean",
        "clean_run",
        "own.verdict is result.revealed.canary.right and not",
        "not",
    ),
    _mutant(
        "a run of any length brings back",
        "clean_run",
        "if not found.is_enough:",
        "if False:",
    ),
)
