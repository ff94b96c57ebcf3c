"""Measuring: only the certified bytes let the model server start, and the reason is said."""

import argparse
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate import names
from quorate.admission.audit_storage import AuditStorage
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch, Unavailable
from quorate.manifest import Manifest
from quorate_sidecar import termination
from quorate_sidecar.measure.measuring import Progress, check_manifest, measure
from quorate_sidecar.measure.record import FILE, Measurement, boot_id, leave, take
from quorate_sidecar.settings import PodFacts, Settings, add_arguments
from tests.unit.sidecar.world import MODEL, OTHER

NOTE = Measurement(MODEL.digest, "uid-0", "boot-0", 1.5, f"sha256:{'0' * 64}")


@pytest.mark.requirement("sidecar: after a restart it measures again before it is ready")
def test_note_counts_once(tmp_path: Path) -> None:
    """The first sidecar uses the note up; the next start has to measure."""
    leave(tmp_path, NOTE)
    assert take(tmp_path, "uid-0", "boot-0") == NOTE
    assert take(tmp_path, "uid-0", "boot-0") is None


@pytest.mark.parametrize(("pod", "boot"), [("uid-1", "boot-0"), ("uid-0", "boot-1")])
def test_note_of_another_pod_or_boot_counts_for_nothing(
    tmp_path: Path, pod: str, boot: str
) -> None:
    """It is used up all the same: it cannot come back later."""
    leave(tmp_path, NOTE)
    assert take(tmp_path, pod, boot) is None
    assert take(tmp_path, "uid-0", "boot-0") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]", b"x" * 10_000])
def test_damaged_note_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    """What is not a note leads to measuring, not to a crash."""
    (tmp_path / FILE).write_bytes(content)
    assert take(tmp_path, "uid-0", "boot-0") is None


def test_note_with_unknown_fields_counts_for_nothing(tmp_path: Path) -> None:
    """Another version's note is no proof."""
    fields = {**msgspec.to_builtins(NOTE), "more": 1}
    (tmp_path / FILE).write_bytes(msgspec.json.encode(fields))
    assert take(tmp_path, "uid-0", "boot-0") is None


def test_boot_id_is_this_boots() -> None:
    """The kernel gives one, and the same one twice."""
    assert boot_id() == boot_id() != ""


def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights.bin").write_bytes(b"w" * 3_000_000)
    return folder


async def knows(manifest: Manifest) -> Any:
    async def known(digest: str) -> Manifest:
        if digest != manifest.digest:
            raise Unavailable("no such manifest")
        return manifest

    return known


@pytest.mark.requirement("measure: a changed, added or removed file is named")
async def test_mismatch_names_the_files() -> None:
    """Whoever reads the reason knows which file is not the signed one."""
    with pytest.raises(SubjectMismatch) as refused:
        await check_manifest(OTHER, MODEL.digest, await knows(MODEL))
    text = str(refused.value)
    assert "changed: model.safetensors" in text
    assert "not signed: x.py" in text
    assert OTHER.digest in text
    assert MODEL.digest in text


async def test_mismatch_without_the_manifest_is_still_refused() -> None:
    """Not knowing what differs does not make it the same."""
    with pytest.raises(SubjectMismatch, match="certified is"):
        await check_manifest(OTHER, MODEL.digest, await knows(OTHER))
    await check_manifest(MODEL, MODEL.digest, await knows(MODEL))


def test_measuring_reports_progress(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how far it is, and at the end that it is done."""
    caplog.set_level(logging.INFO)
    found = measure(model_folder(tmp_path), 2, None)
    assert set(found.manifest.files) == set(found.marks) == {"config.json", "sub/weights.bin"}
    assert found.seconds > 0
    assert "measured 2.9 of 2.9 MiB (100 %" in caplog.text


def test_progress_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A line every few seconds, however many chunks there are."""
    caplog.set_level(logging.INFO)
    at = [0.0]
    progress = Progress(now=lambda: at[0])
    for step in range(1000):
        at[0] = step / 100
        progress(step, 1000)
    assert len(caplog.records) == 1


def test_symbolic_link_is_refused(tmp_path: Path) -> None:
    """What could point elsewhere tomorrow is not measured today."""
    folder = model_folder(tmp_path)
    (folder / "link").symlink_to("config.json")
    with pytest.raises(QuorateError, match="symbolic link"):
        measure(folder, 2, None)


def test_last_words_are_cut_to_what_the_kubelet_reads(tmp_path: Path) -> None:
    """Also in the middle of a character."""
    path = tmp_path / "log"
    termination.say(path, "ä" * 5000)
    assert path.read_text("utf-8") == "ä" * 2048
    termination.say(tmp_path / "no" / "such", "x")


ENVIRONMENT = {
    "QUORATE_POD_NAME": "pod-0",
    "QUORATE_POD_NAMESPACE": "team",
    "QUORATE_POD_UID": "0f3b2c1d",
    "QUORATE_MODEL": "demo",
    "QUORATE_POD_IPS": "10.244.0.5, fd00::5",
}


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    digest = "sha256:" + "a" * 64
    where = ["--member-url", "https://{member}:8443", "--member", "a", "--member=b"]
    return parser.parse_args(["--genesis-digest", digest, *where, *given])


def test_settings_are_the_injected_constants() -> None:
    """With the injected arguments everything else has its place."""
    found = Settings.from_arguments(arguments(), ENVIRONMENT)
    assert found.pod == PodFacts("pod-0", "team", "0f3b2c1d", "demo", ("10.244.0.5", "fd00::5"))
    assert (found.member_url, found.members) == ("https://{member}:8443", ("a", "b"))
    assert str(found.token_file) == "/var/run/secrets/quorate.dev/token"
    assert str(found.model_path) == "/run/quorate-model"
    assert str(found.audit_path) == "/run/quorate/audit"
    assert (found.audit_bytes, found.audit_claim) == (128 * 1024 * 1024, "")


def test_injected_audit_arguments_are_understood() -> None:
    """What admission injects about the audit log is what the sidecar reads."""
    storage = AuditStorage("1Gi", "records")
    found = Settings.from_arguments(arguments(*storage.arguments), ENVIRONMENT)
    assert found.audit_path == Path(names.AUDIT_PATH)
    assert (found.audit_bytes, found.audit_claim) == (1024**3, "records")
    with pytest.raises(InvalidInput, match="--audit-size"):
        Settings.from_arguments(arguments("--audit-size", "much"), ENVIRONMENT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUORATE_POD_NAME", ""),
        ("QUORATE_POD_UID", "a b"),
        ("QUORATE_MODEL", "../x"),
        ("QUORATE_POD_IPS", ""),
        ("QUORATE_POD_IPS", "10.0.0.1,host"),
    ],
)
def test_facts_that_are_none_are_refused(name: str, value: str) -> None:
    """A pod that does not know itself does not start."""
    with pytest.raises(InvalidInput, match=name):
        Settings.from_arguments(arguments(), {**ENVIRONMENT, name: value})


def test_genesis_digest_is_checked() -> None:
    """A typing error there is not a genesis."""
    given = arguments()
    given.genesis_digest = "sha256:xyz"
    with pytest.raises(InvalidInput, match="genesis-digest"):
        Settings.from_arguments(given, ENVIRONMENT)
