"""How far a run is, on standard error: in place on a terminal, a line every 10 s in a log."""

from quorate_cli.progress import Paced
from quorate_evaluation.runner import Answered


class RunProgress(Paced):
    """Says cases done, cases in all, and those that got no answer."""

    def __call__(self, state: Answered, total: int) -> None:
        """Say how far it is."""
        if self.is_due(ended=state.done >= total):
            text = f"{state.done:,} of {total:,} cases, {state.errors.total():,} without an answer"
            self.show(text, state.done < total)
