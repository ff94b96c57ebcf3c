"""What is prepared for a member under quarantine, and that it waits for people. Pure."""

from dataclasses import dataclass
from typing import Final

from quorate.consensus.epoch import EpochRecord, Seat
from quorate_operator.reconcile.conditions import Observation

ACKNOWLEDGE: Final = "kubectl quorate committee acknowledge --key ADMINISTRATOR.key"
"""All that people have to run: it asks the spare itself, shows what changes, signs and proposes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is prepared for the member under quarantine; without a record ``problem`` says why."""

    record: EpochRecord | None = None
    leaves: str = ""
    joins: Seat | None = None
    acknowledged: bool = False
    """Whether as many people as it needs have signed it, and it is proposed."""
    problem: str = ""


NOTHING: Final = Prepared()


def awaits(prepared: Prepared) -> Observation:
    """The condition AwaitsAcknowledgement."""
    if prepared.problem:
        return Observation("False", "NothingPrepared", prepared.problem)
    if prepared.record is None or prepared.joins is None:
        return Observation("False", "NoneQuarantined", "nobody has to be replaced")
    what = f"epoch {prepared.record.number}: {prepared.joins.name} for {prepared.leaves}"
    if prepared.acknowledged:
        return Observation("False", "Acknowledged", f"{what}: people signed it")
    return Observation("True", "ReplacementPrepared", f"{what}. To acknowledge it: {ACKNOWLEDGE}")
