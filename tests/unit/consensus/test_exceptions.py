"""A member and exceptions: it verifies them itself, and its certificate ends when they do."""

from datetime import timedelta
from typing import Any

import pytest

from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.certificate import verify
from quorate.policy.compiled import compile_policy
from quorate_consensus.epochs import Epochs
from quorate_consensus.evaluations import answer
from quorate_consensus.issuing import Committee, Vote, vote
from quorate_consensus.relay import read_model
from tests.fakes import vouching
from tests.fakes.exceptions import approvers, exception
from tests.fakes.vouching import NOW

OWNER, LAB, CHIEF = vouching.signer(), vouching.signer(), vouching.signer()
FILES = vouching.model_files()
KEYS = vouching.Committee()
COMMITTEE = Committee(Epochs(KEYS.genesis), KEYS.keys[0], 3600, 600)
FLOOR = compile_policy(
    read(
        ClusterSafetyPolicy,
        vouching.policy(
            {
                "model": {"signers": vouching.signers(OWNER), "gates": [vouching.gate(LAB)]},
                "exceptions": approvers(CHIEF),
            }
        ),
    )
)


def voted(*exceptions: Any) -> Vote:
    """The vote about a signed model without its gate, asked for with these exceptions."""
    document = vouching.attested_model(FILES, bundles=(vouching.bundle(FILES, OWNER),))
    return vote(COMMITTEE, FLOOR, read_model(document | {"exceptions": list(exceptions)}), NOW)


@pytest.mark.requirement("certificate notAfter ≤ exception's end")
def test_the_certificate_ends_with_the_exception() -> None:
    """It names the approval among its evidence; the answer says that nothing was shown."""
    end = timedelta(hours=1, minutes=10)
    found = voted(exception("Gate/red-team", CHIEF, life=end))
    assert found.envelope is not None
    held = verify(found.envelope.encode(), KEYS.history, NOW)
    assert held.statement.expires_at == NOW + timedelta(minutes=10)
    assert len(held.statement.evidence) == 2
    (_, gate) = answer(found).requirements
    assert (gate.status, gate.reason) == ("True", "Excepted")
    assert "SafetyException/late-gate" in gate.message


@pytest.mark.requirement("a stolen operator token cannot invent an exception")
@pytest.mark.parametrize(
    "relayed",
    [
        [],
        [exception("Gate/red-team")],
        [exception("Gate/red-team", vouching.signer())],
        [exception("Gate/red-team", CHIEF, cluster="cluster-2")],
        ["junk", 7, {"spec": {}}],
    ],
)
def test_what_nobody_approved_lifts_nothing(relayed: list[Any]) -> None:
    """However it is relayed."""
    assert voted(*relayed).envelope is None


def test_what_is_relayed_is_part_of_what_is_judged() -> None:
    """A model with another exception is judged anew; junk in place of a list is none."""
    document = vouching.attested_model(FILES)
    bare = read_model(document)
    assert read_model(document | {"exceptions": "junk"}).digest == bare.digest
    assert (
        read_model(document | {"exceptions": [exception("Connect", CHIEF)]}).digest != bare.digest
    )
