"""Rules that people wrote and signed: conditions in CEL, patterns over texts."""

from quorate_consensus.judges.rules.judge import RulesJudge
from quorate_consensus.judges.rules.rulebook import Rulebook, read_rulebook

__all__ = ["Rulebook", "RulesJudge", "read_rulebook"]
