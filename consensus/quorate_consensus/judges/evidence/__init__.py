"""Whether a model holds its policies: every signature verified again, from the documents.

An ask to certify is approved only if this member would issue the very same statement. Any other
action is approved only while the model that acts holds every policy it names, now; that judgement
is kept for a few seconds, because one model acts often.
"""

from quorate_consensus.judges.evidence.judge import EvidenceJudge
from quorate_consensus.judges.evidence.known import Known, Relayed
from quorate_consensus.judges.evidence.not_asked import NotAsked

__all__ = ["EvidenceJudge", "Known", "NotAsked", "Relayed"]
