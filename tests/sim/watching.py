"""Looking for liars: the real detector and watch, at a member or wherever votes are seen."""

from collections.abc import Iterable

from quorate.consensus import detector, quarantine
from quorate.consensus.detector import Detector, Result
from quorate.consensus.epoch import Epoch
from quorate.consensus.equivocation import Watch
from quorate.consensus.quarantine import Evidence
from quorate.consensus.signing import verify_vote
from quorate.consensus.wire import Vote
from quorate.errors import QuorateError
from tests.sim.scene import Scene


class Watcher:
    """What one member sees of the others in one epoch, and proposes because of it."""

    def __init__(self, scene: Scene, name: str, epoch: Epoch) -> None:
        self._scene, self._name, self._epoch = scene, name, epoch
        self._watch = Watch()
        self._detector = Detector(epoch)
        self._accused: set[str] = set()

    def saw(self, votes: Iterable[Vote]) -> None:
        """Votes that somebody collected."""
        for vote in votes:
            try:
                ballot, _ = verify_vote(vote, self._epoch, self._scene.signatures)
            except QuorateError:
                continue
            proof = self._watch.saw(vote, ballot)
            if proof is not None:
                self._accuse(ballot.member, proof)

    def counted(self, result: Result) -> None:
        """What came back for a canary."""
        try:
            self._detector, accusations = detector.step(
                self._detector, result, self._scene.signatures
            )
        except QuorateError as error:
            self._scene.world.say("{} cannot use a canary: {}", self._name, error)
            return
        for failures in accusations:
            self._accuse(failures.member, failures)

    def _accuse(self, member: str, evidence: Evidence) -> None:
        if member in self._accused:
            return
        try:
            record = quarantine.propose(self._epoch, evidence, self._scene.signatures)
        except QuorateError as error:
            self._scene.world.say("{} cannot accuse {}: {}", self._name, member, error)
            return
        self._accused.add(member)
        self._scene.world.say("{} accuses {}: {}", self._name, member, record.reason)
        self._scene.submit(self._name, record, quarantine.encode(evidence))
