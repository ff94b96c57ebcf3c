"""How much of a recorded incident is in a request: bottom-k sketches against a signed list.

Letters and digits only, of the normal form and of what it decodes to, so that spelling and padding
do not help; other words do. The list holds sketches, not the texts of the incidents.
"""

from quorate_consensus.judges.history.incidents import Incidents, read_incidents
from quorate_consensus.judges.history.judge import HistoryJudge

__all__ = ["HistoryJudge", "Incidents", "read_incidents"]
