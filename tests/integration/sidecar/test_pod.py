"""The sidecar's processes in a pod's network: runs inside_pod.py in a namespace of its own.

Only there can the sidecar bind a pod's addresses, and see who else listens, as in a real pod.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSIDE = "tests/integration/sidecar/inside_pod.py"
NETWORK = (
    "ip link set lo up && ip addr add 10.244.0.5/32 dev lo && "
    "ip -6 addr add fd00::5/128 dev lo nodad && exec "
)
_RESULT = re.compile(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", re.MULTILINE)


def run_inside(path: str) -> tuple[dict[str, str], str]:
    """Run the tests of a file in a pod's network: how each ended, and all they printed."""
    pytest_command = f"{sys.executable} -m pytest -rA -q -p no:cacheprovider {path}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", NETWORK + pytest_command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    output = done.stdout + done.stderr
    return {name: result for result, name in _RESULT.findall(output)}, output


@pytest.fixture(scope="module")
def results() -> tuple[dict[str, str], str]:
    """How each inner test ended, and all they printed."""
    return run_inside(INSIDE)


def passed(results: tuple[dict[str, str], str], *names: str) -> None:
    """Fail with everything that was printed unless these inner tests passed."""
    found, output = results
    missing = [name for name in names if found.get(name) != "PASSED"]
    assert missing == [], output


@pytest.mark.requirement("good model: measured, then answered through its sidecar")
def test_certified_model_is_served(results: tuple[dict[str, str], str]) -> None:
    """Measured, listening on every address of the pod, ready, answering, recording."""
    passed(results, "test_certified_model_is_served")


@pytest.mark.requirement("a streamed answer from the openai Python client")
def test_openai_client(results: tuple[dict[str, str], str]) -> None:
    """The real client streams answers and understands refusals."""
    passed(
        results,
        "test_openai_client_gets_a_streamed_answer",
        "test_openai_client_sees_a_stream_refused",
    )


@pytest.mark.parametrize("change", ["byte", "added", "removed", "renamed", "link"])
@pytest.mark.requirement("one byte changed, a file added, renamed or symlinked: never starts")
def test_changed_model_never_starts(results: tuple[dict[str, str], str], change: str) -> None:
    """Neither measure nor the sidecar accept it, and the message names the file."""
    passed(results, f"test_changed_model_never_starts[{change}]")


def test_unvouched_model_never_starts(results: tuple[dict[str, str], str]) -> None:
    """A failed gate or an absent member ends measuring with the reason."""
    passed(results, "test_unvouched_model_never_starts")


@pytest.mark.requirement("model bound to the wildcard: refused with the remedy")
def test_wildcard_model(results: tuple[dict[str, str], str]) -> None:
    """Whoever comes second finds the address in use, and the sidecar says what to change."""
    passed(
        results,
        "test_wildcard_model_is_refused_with_the_remedy",
        "test_wildcard_model_fails_once_the_sidecar_runs",
        "test_taken_health_port_is_said",
    )


@pytest.mark.requirement("sidecar: a foreign listener denies all until it is gone")
def test_foreign_listener(results: tuple[dict[str, str], str]) -> None:
    """Unready and denying while the way around it is open."""
    passed(results, "test_foreign_listener_denies_until_it_is_gone")


@pytest.mark.requirement("a sidecar reports what holds, at once on change")
def test_unwritten_audit_log(results: tuple[dict[str, str], str]) -> None:
    """Unready, and the operator reads why at the member."""
    passed(results, "test_unwritten_audit_log_is_reported")


@pytest.mark.requirement("sidecar: after a restart it measures again before it is ready")
def test_restarted_sidecar(results: tuple[dict[str, str], str]) -> None:
    """The note of measure counts once."""
    passed(results, "test_restarted_sidecar_measures_again")


@pytest.mark.requirement("sidecar: a policy denial or a kill keeps the pod Ready and says why")
def test_denial(results: tuple[dict[str, str], str]) -> None:
    """403 with the committee's reason; readiness and probes go on."""
    passed(results, "test_denial_stays_ready_and_ends")


@pytest.mark.requirement("sidecar: an absent control plane fails no request before the expiry")
def test_absent_control_plane(results: tuple[dict[str, str], str]) -> None:
    """Served within the state's life, denied beyond it, served again afterwards."""
    passed(results, "test_absent_control_plane")


@pytest.mark.requirement("sidecar: streams drain on SIGTERM")
def test_drain(results: tuple[dict[str, str], str]) -> None:
    """What began ends whole."""
    passed(results, "test_sigterm_drains_streams")


@pytest.mark.requirement("audit: an open record without a close record is an interrupted exchange")
def test_kill(results: tuple[dict[str, str], str]) -> None:
    """A killed sidecar leaves a log that verifies and names what it was doing."""
    passed(results, "test_killed_sidecar_leaves_interrupted_exchanges")
