"""The sets of judges that ship, and the digests that an installation writes into its seats."""

import itertools

import pytest

from quorate.consensus import judge_sets
from quorate.consensus.thresholds import PRESETS
from quorate.errors import InvalidInput
from quorate_consensus.judges.building import READERS
from quorate_consensus.judges.evidence import EvidenceJudge
from quorate_consensus.judges.panel import judges_digest
from quorate_consensus.judges.sets import SETS, identities
from tests.unit.judges.built_in import opened


@pytest.mark.requirement("a seat names the judges that its member has")
@pytest.mark.parametrize("name", SETS)
def test_the_file_says_what_the_judges_say(name: str) -> None:
    """Who installs without the judges writes the digest that a member with them has."""
    digest = judges_digest(identities(opened(), name)).hex()
    assert judge_sets.digest_of_set(name) == f"sha256:{digest}"


def test_the_file_holds_these_sets_and_no_others() -> None:
    """And each has another digest: no two of them are one opinion."""
    shipped = judge_sets.shipped().sets
    assert set(shipped) == set(SETS)
    assert len(set(shipped.values())) == len(SETS)
    with pytest.raises(InvalidInput, match="is none of"):
        judge_sets.digest_of_set("none")


@pytest.mark.requirement("different judge sets per member, so that faults are independent")
def test_every_reader_sits_where_it_can_deny() -> None:
    """Among the five different sets each reader is in as many as lose the fast tier an approval."""
    assert set(SETS[judge_sets.ALL]) == set(READERS)
    several = [chosen for name, chosen in SETS.items() if name != judge_sets.ALL]
    standard = PRESETS["standard"]
    assert len(several) == standard.n
    for reader in READERS:
        having = sum(reader in chosen for chosen in several)
        assert having > standard.n - standard.fast
    for one, other in itertools.combinations(several, 2):
        assert set(one) != set(other)


def test_every_set_verifies_evidence() -> None:
    """Or a member that has it could certify nothing."""
    for name in SETS:
        assert EvidenceJudge.identity in identities(opened(), name)
