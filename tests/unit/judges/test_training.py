"""What judges go by is made by a command, and the command makes it again."""

import itertools
import json
import re
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus.request import encode
from quorate.keys import load_signer
from quorate_consensus.judges import release
from quorate_consensus.judges.building import READERS, readers
from quorate_consensus.judges.release import BUILT_IN, FILE_NAME
from quorate_features import linear
from quorate_training.judges import __main__ as command
from quorate_training.judges import baseline, classifier
from quorate_training.judges.asks import Everyday
from quorate_training.judges.attacks import unsafe
from quorate_training.judges.incidents import incident_texts, listed
from quorate_training.judges.texts import HELD_OUT_FAMILIES, Split, texts


@pytest.mark.requirement("judges: the committed artefacts are what the command makes")
def test_the_command_makes_the_committed_release(tmp_path: Path) -> None:
    """Training again with the committed seed gives the same bytes, and so the same list."""
    for name in ("rules.json", "tools.json", "llm.json"):
        if (BUILT_IN / name).exists():
            shutil.copy(BUILT_IN / name, tmp_path)
    assert command.main(["make", "--dir", str(tmp_path)]) == 0
    differing = [
        path.name
        for path in sorted(BUILT_IN.iterdir())
        if path.read_bytes() != (tmp_path / path.name).read_bytes()
    ]
    assert differing == []


def test_artefacts_are_small() -> None:
    """Each is under 300 kB, so the tree can hold them."""
    assert max(path.stat().st_size for path in BUILT_IN.iterdir()) < 300_000


def test_every_reader_is_made_from_the_release() -> None:
    """A panel of all readers names the digest of what each goes by."""
    pinned = release.digest_of_bytes((BUILT_IN / FILE_NAME).read_bytes())
    opened = release.open_pinned(BUILT_IN, pinned)
    for reader in readers(opened, list(READERS)):
        name = reader.identity.name
        assert reader.identity.artefact == opened.artefact(name)[0]
    with pytest.raises(Exception, match="none of"):
        readers(opened, ["oracle"])


def test_another_seed_makes_another_model() -> None:
    """The seed matters, and a few texts are enough to learn something."""
    one, other = (classifier.train(seed, count=400) for seed in (1, 2))
    assert linear.save(one) != linear.save(other)
    assert linear.save(one) == linear.save(classifier.train(1, count=400))


def test_splits_share_no_template() -> None:
    """No longer text of the report is a training text: what fills templates is the same, the
    templates are not."""
    training = {text.text for text in texts(1, 2_000, Split.TRAINING)}
    report = [text.text for text in texts(1, 500, Split.REPORT) if len(text.text.split()) >= 12]
    assert len(report) > 100
    assert not training & set(report)


def test_held_out_families_are_never_trained_on() -> None:
    """Training and calibration lack whole families of attacks; the report has them."""
    for split in Split:
        found = {text.family for text in texts(3, 1_500, split) if text.unsafe}
        assert bool(found & set(HELD_OUT_FAMILIES)) == (split is Split.REPORT)


def test_made_requests_are_requests() -> None:
    """Whatever the generators make is canonical and within the bounds."""
    daily = Everyday("test", Split.REPORT)
    made = [daily.item() for _ in range(150)] + unsafe("test", 150, Split.REPORT)
    for item in made:
        encode(item.request)
    assert {item.unsafe for item in made} == {True, False}
    # No slot was left open.
    assert not any(
        re.search(r"\{(ignore|topic|badtask|evil)\}", message.content)
        for item in made
        for message in item.request.conversation
    )


def test_a_baseline_of_recorded_requests(tmp_path: Path) -> None:
    """A file of requests becomes a baseline; too few are refused."""
    daily = Everyday("recorded", Split.REPORT)
    lines = [encode(daily.item("send").request) for _ in range(420)]
    file = tmp_path / "requests"
    file.write_bytes(b"\n".join(lines))
    arguments = ["baseline", "--dir", str(tmp_path), "--requests", str(file)]
    assert command.main(arguments) == 0
    made = json.loads((tmp_path / "anomaly.json").read_text())
    assert list(made["classes"]) == ["send"]
    file.write_bytes(b"\n".join(lines[:50]))
    assert command.main(arguments) == 2
    file.write_bytes(b"{}")
    assert command.main(arguments) == 2
    with pytest.raises(ValueError, match="too few"):
        baseline.recorded(daily.item("send").request for _ in range(10))


def test_incidents_of_a_file(tmp_path: Path) -> None:
    """A file of texts becomes a list of sketches, without the texts."""
    chosen = list(itertools.islice(incident_texts(9), 5))
    file = tmp_path / "texts"
    file.write_text("\n".join(map(json.dumps, [*chosen, "short"])))
    assert command.main(["incidents", "--dir", str(tmp_path), "--texts", str(file)]) == 0
    written = (tmp_path / "history.json").read_text()
    assert json.loads(written) == listed(chosen)
    assert chosen[0][:20] not in written


def private_pem() -> bytes:
    """A fresh administrator's key."""
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_signed_list_opens(tmp_path: Path) -> None:
    """What the command signs is what a member opens."""
    assert command.RELEASE_TYPE == release.RELEASE_TYPE
    shutil.copytree(BUILT_IN, tmp_path, dirs_exist_ok=True)
    pems = [private_pem() for _ in range(2)]
    paths = [tmp_path / f"key-{number}.pem" for number in range(2)]
    for path, pem in zip(paths, pems, strict=True):
        path.write_bytes(pem)
    out = tmp_path / "release.dsse"
    arguments = ["sign", "--dir", str(tmp_path), "--out", str(out)]
    for path in paths:
        arguments += ["--key", str(path)]
    assert command.main(arguments) == 0
    public = [load_signer(pem).public_key for pem in pems]
    release.open_signed(tmp_path, out.read_bytes(), public, 2)
