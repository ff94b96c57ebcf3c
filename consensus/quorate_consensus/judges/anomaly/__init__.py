"""How unlike a population of known requests a request is, as a conformal p-value.

Population and calibration set come from the release; neither ever moves with the traffic. A request
that is unlike all others need not be dangerous, so a DENY of this judge is never hard.
"""

from quorate_consensus.judges.anomaly.baseline import Baseline, read_baseline
from quorate_consensus.judges.anomaly.judge import AnomalyJudge

__all__ = ["AnomalyJudge", "Baseline", "read_baseline"]
