"""What the operator may delete: pods that carry our sidecar, and nothing else anywhere."""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import Document, matching, validation
from quorate.verdict import Reason


def removal() -> Document:
    """Spec of the policy for DELETE of pods, in every namespace."""
    sidecar = literal(names.SIDECAR_CONTAINER)
    return {
        **matching("DELETE", "pods"),
        "matchConditions": [
            {
                "name": "by-the-operator",
                "expression": f"request.userInfo.username == {literal(names.OPERATOR_USER)}",
            }
        ],
        "validations": [
            validation(
                Reason.NOT_INJECTED,
                "has(oldObject.spec.initContainers)\n"
                f"  && oldObject.spec.initContainers.exists(c, c.name == {sidecar})",
                f"the operator deletes pods with a {names.SIDECAR_CONTAINER} only; "
                "fix: delete it as somebody else",
            )
        ],
    }
