"""The parts that policies are written with: rules, variables, validations."""

from typing import Any

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.verdict import Reason

Document = dict[str, Any]

NOT_A_MIRROR = {
    "name": "not-a-mirror-of-a-static-pod",
    "expression": "!(request.userInfo.username.startsWith('system:node:')\n"
    "  && has(object.metadata.annotations)\n"
    "  && 'kubernetes.io/config.mirror' in object.metadata.annotations)",
}
"""A static pod runs whether its mirror is admitted or not; the mirror is how it is seen."""

STARTS_RESERVED = f".name.startsWith({literal(names.VOLUME_PREFIX)})"
"""Containers and volumes under this prefix are ours alone."""
RECREATE = "fix: create the pod anew; another webhook or a hand may have changed it"


def matching(operation: str, *resources: str) -> Document:
    """Match one operation on resources of the core group."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation]}
    return {"matchConstraints": {"resourceRules": [rule | {"resources": list(resources)}]}}


def variable(name: str, expression: str) -> Document:
    """A named expression; evaluated when first used."""
    return {"name": name, "expression": expression}


def listed(name: str, field_name: str) -> Document:
    """A variable that holds a list of the pod's spec, empty if it is absent."""
    return variable(
        name, f"has(object.spec.{field_name}) ? dyn(object.spec.{field_name}) : dyn([])"
    )


def validation(reason: Reason, expression: str, message: str) -> Document:
    """What must hold, and what a person reads if it does not."""
    return {"expression": expression, "message": f"{reason}: {message}", "reason": "Forbidden"}
