"""Judges before their first request."""

import pytest

from quorate.consensus import request as requests
from quorate.consensus.request import Request
from quorate_consensus.judges.building import READERS
from quorate_consensus.judges.opinion import Identity, Opinion, denied
from quorate_consensus.judges.warming import SAMPLE, warm
from tests.unit.judges import built_in


class Broken:
    """A reader that fails."""

    identity = Identity("broken", 1, "")
    asked = 0

    def read(self, request: Request) -> Opinion:
        self.asked += 1
        raise RuntimeError


class Counting(Broken):
    """A reader that counts."""

    def read(self, request: Request) -> Opinion:
        self.asked += 1
        return denied("JudgeFailed")


def test_each_reader_reads_once_whatever_others_do(caplog: pytest.LogCaptureFixture) -> None:
    """One that fails keeps nobody cold, and is told of."""
    readers = [Broken(), Counting()]
    warm(readers)
    assert [reader.asked for reader in readers] == [1, 1]
    assert "judge broken fails" in caplog.text


def test_the_sample_is_a_request_that_all_judges_read() -> None:
    """It is canonical, so that what is warm is what a request needs."""
    assert requests.parse(requests.encode(SAMPLE)) == SAMPLE
    for name in READERS:
        assert isinstance(built_in.judge(name).read(SAMPLE), Opinion)
