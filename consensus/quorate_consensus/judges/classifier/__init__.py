"""A linear model of character n-grams, trained on texts made by script.

It reads what the user says, what tools answered and the arguments, in their normal form and
decoded, in windows; it denies what looks worse than 99 in a hundred harmless calibration texts.
What it misses is in docs/reference/judges.md.
"""

from quorate_consensus.judges.classifier.judge import ClassifierJudge

__all__ = ["ClassifierJudge"]
