"""Conditions in CEL: a subset of the Common Expression Language with an exact bound on its cost.

What is accepted means what CEL says it means, or is an error: an error is never true. Not accepted
is all that makes values grow or needs more than the expression and its variables: concatenation,
``map``, map literals, regular expressions, times, functions of one's own. The reference is
docs/reference/conditions.md, the reasons are in docs/adr/0010.
"""

from quorate.cel.program import Condition, compile_condition
from quorate.cel.values import ConditionError

__all__ = ["Condition", "ConditionError", "compile_condition"]
