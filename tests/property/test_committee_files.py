"""Chains come from files and from members: whatever is in them, they are read or refused."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quorate.consensus.epoch import Change
from quorate.errors import QuorateError
from quorate_cli.committee import chain_file
from quorate_cli.committee.chain_file import Chain
from tests.fakes.ballots import Committee, digest

C = Committee()
RECORD = C.endorse(C.next_record(Change.POLICIES, policies=digest("1")), members=4, admins=2)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path) -> None:
    """It is a chain that verifies or does not, by errors of ours."""
    try:
        chain_file.load(path, None).history()
    except QuorateError:
        return


@MANY
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    """Nothing but our own errors comes of them."""
    path = tmp_path / "chain.json"
    path.write_bytes(data)
    read(path)


@MANY
@given(st.data())
def test_a_changed_chain_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Anything in the place of anything; and a chain with another record verifies never."""
    path = tmp_path / "chain.json"
    chain_file.save(path, Chain(C.epoch, (RECORD,)))
    document: Any = json.loads(path.read_text())
    place = document
    for _ in range(data.draw(st.integers(0, 3))):
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        found = [key for key in keys if isinstance(place[key], dict | list) and place[key]]
        if not found:
            break
        place = place[data.draw(st.sampled_from(found))]
    keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(VALUES)
    path.write_text(json.dumps(document))
    read(path)
