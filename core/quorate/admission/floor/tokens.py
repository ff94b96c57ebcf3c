"""Tokens of our audience: only nodes ask for them, for the volumes of pods they run."""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import Document, matching, validation
from quorate.verdict import Reason


def tokens() -> Document:
    """Spec of the policy for TokenRequests, in every namespace."""
    return {
        **matching("CREATE", "serviceaccounts/token"),
        "validations": [
            validation(
                Reason.TOKEN_AUDIENCE,
                "request.userInfo.groups.exists(g, g == 'system:nodes')\n"
                "  || !has(object.spec.audiences)\n"
                "  || !object.spec.audiences.exists(a, "
                f"a.startsWith({literal(names.AUDIENCE)}))",
                f"only nodes may ask for a token of an audience {names.AUDIENCE}…; "
                "fix: ask for another audience",
            )
        ],
    }
