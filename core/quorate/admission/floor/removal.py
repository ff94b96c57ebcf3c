"""What the operator may delete: a pod of a namespace that enforces, the one it looked at.

One that has no sidecar may be the very one that escaped admission, so the pod itself says nothing;
its namespace does. Of our own namespace it replaces members, one after the other. And what the
operator may change in a node: that nothing is scheduled there.
"""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import Document, matching, validation
from quorate.admission.floor.config import EXCLUDED_NAMESPACES
from quorate.verdict import Reason

_BY_THE_OPERATOR = {
    "name": "by-the-operator",
    "expression": f"request.userInfo.username == {literal(names.OPERATOR_USER)}",
}


def removal(system: str = names.NAMESPACE) -> Document:
    """Spec of the policy for DELETE of pods, everywhere; ``system`` is where the members are."""
    labels, mode = "namespaceObject.metadata.labels", literal(names.MODE_LABEL)
    asked = "request.options.preconditions"
    member = literal(names.MEMBER_LABEL)
    return {
        **matching("DELETE", "pods"),
        "matchConditions": [_BY_THE_OPERATOR],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                f"request.namespace == {literal(system)}\n"
                f"  ? has(oldObject.metadata.labels) && {member} in oldObject.metadata.labels\n"
                f"  : !(request.namespace in {literal(list(EXCLUDED_NAMESPACES))})\n"
                f"    && has({labels}) && {mode} in {labels} && {labels}[{mode}] == 'enforce'",
                "the operator deletes pods of namespaces that enforce, and pods of members, only; "
                "fix: delete it as somebody else",
            ),
            validation(
                Reason.GUARDED_CHANGE,
                f"has(request.options) && has({asked}) && has({asked}.uid)\n"
                f"  && {asked}.uid == oldObject.metadata.uid",
                "the operator deletes one pod at a time, by its UID; "
                "fix: name the UID as a precondition",
            ),
        ],
    }


def cordon() -> Document:
    """Spec of the policy for changes of nodes by the operator, where it may change them at all."""
    return {
        **matching("UPDATE", "nodes", "nodes/*"),
        "matchConditions": [_BY_THE_OPERATOR],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                "!has(request.subResource)\n"
                "  && has(object.spec.unschedulable) && object.spec.unschedulable\n"
                f"  && {_same('spec', ['unschedulable'])}\n"
                f"  && {_same('metadata', ['managedFields', 'resourceVersion', 'generation'])}",
                "the operator cordons nodes and changes nothing else in them; "
                "fix: change it as somebody else",
            )
        ],
    }


def _same(field: str, but: list[str]) -> str:
    """CEL: everything in this part of the object is as it was, but for these fields."""
    new, old = f"dyn(object.{field})", f"dyn(oldObject.{field})"
    return (
        f"{new}.all(k, k in {literal(but)} || (k in {old} && {new}[k] == {old}[k]))\n"
        f"  && {old}.all(k, k in {literal(but)} || k in {new})"
    )
