"""What the members themselves wrote down of their votes, judged offline by the simulator's checker.

The checker shares no code with the protocol: it reads bytes, hashes, and verifies for itself.
"""

import base64
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from quorate import names
from quorate.canonical import canonical
from quorate_consensus.votes import log_file
from quorate_sidecar.audit_writer import audit_files
from tests.e2e.installation import SYSTEM
from tests.e2e.processes import processes
from tests.e2e.tenant import Document
from tests.sim import checker
from tests.sim.checker import Reading, Said
from tests.sim.history import History, Opened, Voted
from tools.demo.cluster import Cluster

SERVES = "serve\0--genesis="
"""In the command line of every member's process."""
KEPT = "root/var/lib/quorate"
LOOK_SECONDS = 0.5


def running(cluster: Cluster) -> dict[str, int]:
    """Process ids on this machine of the installation's members, by name."""
    genesis = cluster.get("configmap", "quorate-genesis", *SYSTEM)["data"]["digest"].strip()
    return _running(genesis)


def _running(genesis: str) -> dict[str, int]:
    """By the mark that each made in its store."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if SERVES not in (folder / "cmdline").read_text("utf-8", "replace"):
                continue
            mark = json.loads((folder / KEPT / "votes/member").read_bytes())
        except (OSError, ValueError):
            continue
        if mark["genesis"] == genesis:
            found[mark["member"]] = int(folder.name)
    return found


@contextmanager
def stopped(cluster: Cluster, *members: str) -> Iterator[None]:
    """These members stand still for a while: they take connections and never answer."""
    found = running(cluster)
    pids = [found[name] for name in members]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class VoteLogs:
    """Copies the members' logs while they run: a pod's own volume goes with it."""

    def __init__(self, cluster: Cluster) -> None:
        kept = cluster.get("configmap", "quorate-genesis", *SYSTEM)["data"]
        self._genesis_text: str = kept["genesis.json"]
        self._digest: str = kept["digest"].strip()
        self._logs: dict[tuple[str, int, str], bytes] = {}
        """By member, process and name: a store that is made anew is another log."""
        self.records: dict[str, bytes] = {}
        self._over = threading.Event()

    @contextmanager
    def copied(self) -> Iterator["VoteLogs"]:
        """Copy while the block runs, and once more at its end."""
        thread = threading.Thread(target=self._copy_until_over, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(30)
        self._copy()

    def _copy_until_over(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._copy()

    def _copy(self) -> None:
        for member, pid in _running(self._digest).items():
            kept = Path(f"/proc/{pid}") / KEPT
            try:
                for path in (kept / "votes").glob("*.votes"):
                    place = (member, pid, path.name)
                    self._logs[place] = path.read_bytes()
                for path in (kept / "epochs").glob("[0-9]*.json"):
                    self.records[path.name] = path.read_bytes()
            except OSError:
                continue

    def votes(self, folder: Path) -> dict[str, list[bytes]]:
        """The votes of each member, log by log. AssertionError for a log that is damaged."""
        found: dict[str, list[bytes]] = {}
        for number, ((member, _, _), data) in enumerate(self._logs.items()):
            path = folder / f"{member}-{number}.votes"
            path.write_bytes(data)
            # What was being written as it was copied is no damage.
            records = list(log_file.records(path))
            end = records[-1][1] if records else len(log_file.MAGIC)
            assert not log_file.is_damaged(path, end), f"{path} is damaged at byte {end}"
            found.setdefault(member, []).extend(record for record, _ in records)
        return found

    def reading(self, folder: Path, liars: Sequence[str] = ()) -> Reading:
        """The history that the logs tell, for the checker."""
        facts: list[Any] = [
            Opened(0.0, "log", canonical(json.loads(data)["record"]), (), ())
            for _, data in sorted(self.records.items())
        ]
        for member, votes in self.votes(folder).items():
            facts += [Voted(float(at), member, "", data, "", 0.0) for at, data in enumerate(votes)]
        genesis = canonical(json.loads(self._genesis_text))
        nobody: frozenset[str] = frozenset()
        return Reading(
            History(genesis, signed, frozenset(liars), nobody, nobody, calm=False, facts=facts)
        )


def signed(key: bytes | str, signature: bytes, data: bytes) -> bool:
    """Whether the raw vote key, or the PEM identity key, signed ``data``."""
    public = (
        Ed25519PublicKey.from_public_bytes(key)
        if isinstance(key, bytes)
        else load_pem_public_key(key.encode())
    )
    assert isinstance(public, Ed25519PublicKey)
    try:
        public.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def wrong(reading: Reading) -> list[str]:
    """What the checker finds in the members' own words."""
    rules = (checker.honest_members_tell_one_story, checker.strict_certificates_agree)
    return [line for rule in rules for line in rule(reading)]


def ballots(reading: Reading, member: str) -> list[Said]:
    """What the member said, as its logs have it."""
    said = (reading.ballot(vote.data) for vote in reading.by_kind[Voted] if vote.member == member)
    return [one for one in said if one is not None]


def audit_log(pod: Document) -> bytes:
    """The log that the pod's sidecar keeps, oldest record first."""
    (sidecar,) = processes(pod, "quorate_sidecar\0serve")
    folder = Path(f"/proc/{sidecar}/root{names.AUDIT_PATH}")
    return b"".join(path.read_bytes() for path in audit_files(folder))


def decisions(pod: Document) -> list[Document]:
    """What the pod's sidecar wrote down of actions, each with when it was (``at``)."""
    records = [json.loads(line) for line in audit_log(pod).splitlines()]
    bodies = [record["body"] | {"at": record["at"]} for record in records]
    return [body for body in bodies if body["kind"] == "action"]


def voters(reading: Reading, decided: Document) -> set[str]:
    """Whose approvals a decision rests on: genuine ones, about exactly that ask."""
    about = (bytes.fromhex(decided["request"][7:]), bytes.fromhex(decided["epoch"][7:]))
    _, votes = msgspec.msgpack.decode(base64.b64decode(decided["votes"]))
    found = set()
    for _, ballot, delegation in votes:
        said = reading.genuine(ballot, delegation)
        if said is None or not said.approves:
            continue
        same = said.about == (about[0], decided["decidedBy"], about[1])
        if same and said.ask[0].hex() == decided["nonce"]:
            found.add(said.member)
    return found


def unfounded(reading: Reading, decided: Sequence[Document], kept_by: Sequence[str]) -> list[str]:
    """Approvals without a certificate of enough members, or on votes that a member of ``kept_by``,
    whose log was never lost, does not hold: it keeps what it says before it says it."""
    kept = {vote.data for vote in reading.by_kind[Voted]}
    found = []
    for one in decided:
        if one["decision"] != "approve" or one["decidedBy"] == "sidecar":
            continue
        rules = reading.epochs[bytes.fromhex(one["epoch"][7:])]
        behind = voters(reading, one)
        if len(behind) < rules.needed(one["decidedBy"], veto=False):
            found.append(f"{one['id']}: approved by {sorted(behind)}")
        _, votes = msgspec.msgpack.decode(base64.b64decode(one["votes"]))
        for vote in votes:
            said = reading.ballot(data := msgspec.msgpack.encode(vote))
            if said is not None and said.member in kept_by and data not in kept:
                found.append(f"{one['id']}: {said.member} does not hold its vote {said.place}")
    return found
