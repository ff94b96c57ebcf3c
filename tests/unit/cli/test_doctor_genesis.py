"""What doctor says of the genesis: who decides, and who may loosen anything."""

from types import SimpleNamespace
from typing import cast

from quorate.consensus.epoch import Admins, Epoch
from quorate.consensus.thresholds import PRESETS
from quorate.genesis import first_epoch
from quorate_cli.doctor.checks.genesis import genesis
from quorate_cli.doctor.survey import Survey
from tests.fakes.vouching import member_signer, seats, signer


def said(epoch: Epoch) -> str:
    """The message about a genesis."""
    (finding,) = genesis(cast(Survey, SimpleNamespace(genesis=epoch)))
    return finding.message


def test_members_and_administrators_are_counted() -> None:
    """Nobody who administers is worth knowing before it is too late to change."""
    keys = [member_signer() for _ in range(5)]
    people = Admins(tuple(signer().public_key.pem for _ in range(3)), 2)
    alone = first_epoch("c", seats(keys[:1]), PRESETS["dev"])
    assert said(alone) == f"{alone.digest_text}, 1 member, no administrators"
    several = first_epoch("c", seats(keys), PRESETS["standard"], people)
    assert said(several) == f"{several.digest_text}, 5 members, 2 of 3 administrators"
