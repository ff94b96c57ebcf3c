"""What a member that votes is started with."""

from pathlib import Path

import pytest

from quorate.errors import InvalidInput
from quorate_consensus.settings import Settings, parse_arguments
from quorate_consensus.store_init import InitSettings, parse
from quorate_consensus.voting_settings import VotingSettings, url_of

FILES = ["serve", "--genesis", "g", "--key", "k", "--token-keys", "t", "--issuer", "i"]
FILES += ["--tls-name", "member-0.test"]
DIGEST = "sha256:" + "1" * 64


def read(*extra: str) -> Settings:
    """The settings of ``serve``."""
    return parse_arguments([*FILES, *extra])


def test_a_member_votes_only_if_it_has_a_store() -> None:
    """Nothing else makes one vote."""
    assert read().voting is None
    assert read("--judges", "all", "--epochs", "e").voting is None
    assert read("--store", "s", "--epochs", "e").voting == VotingSettings(Path("s"))
    release = ("--judges-release", "r", "--judges-release-digest", DIGEST)
    found = read("--store", "s", "--epochs", "e", "--judges", "tools-history-rules", *release)
    assert found.voting == VotingSettings(Path("s"), "tools-history-rules", Path("r"), DIGEST)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--store", "s"), "must be given with --store"),
        (("--judges", "none-such"), "is none of"),
        (("--judges-release", "r"), "give both"),
        (("--judges-release-digest", DIGEST), "give both"),
        (("--member-url", "https://x:1"), "must hold {member}"),
        (("--member-url", "http://{member}:1"), "must be https"),
        (("--member-url", "https://{member}:1/path"), "must be https"),
        (("--member-url", "https://user@{member}:1"), "must be https"),
        (("--member-url", "https://{member}:x"), "must be https"),
    ],
)
def test_settings_that_are_refused(extra: tuple[str, ...], message: str) -> None:
    """A store without the chain, unknown judges, half a release, a URL of more than a host."""
    with pytest.raises(InvalidInput, match=message):
        read(*extra)


def test_a_seats_name_becomes_a_host_and_nothing_else() -> None:
    """A name that is no part of a host's leads nowhere."""
    template = "https://quorate-{member}.quorate-system.svc:8443"
    assert str(url_of(template, "member-0")) == "https://quorate-member-0.quorate-system.svc:8443"
    for name in ("a.example.test", "a/b", "A", "-a", "a@b", "", "a" * 64, "\u0430"):
        with pytest.raises(InvalidInput):
            url_of(template, name)


def test_the_command_that_makes_a_store() -> None:
    """It has files of its own."""
    files = ["--genesis", "g", "--key", "k", "--store", "s"]
    assert parse(files) == InitSettings(Path("g"), Path("k"), Path("s"), None)
