"""What the operator may change in a namespace: enforcement that was suspended begins again."""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import Document, matching, validation
from quorate.verdict import Reason


def restoring() -> Document:
    """Spec of the policy for the operator's UPDATE of namespaces, all of them."""
    mode, until = literal(names.MODE_LABEL), literal(names.ENFORCE_AGAIN)
    ours = literal([names.ENFORCE_AGAIN, names.SUSPENDED_BECAUSE, names.SUSPENDED_BY])

    def of(field: str, namespace: str) -> str:
        found = f"{namespace}.metadata.{field}"
        return f"(has({found}) ? dyn({found}) : dyn({{}}))"

    labels, old_labels = of("labels", "object"), of("labels", "oldObject")
    notes, old_notes = of("annotations", "object"), of("annotations", "oldObject")
    return {
        **matching("UPDATE", "namespaces"),
        "matchConditions": [
            {
                "name": "by-the-operator",
                "expression": f"request.userInfo.username == {literal(names.OPERATOR_USER)}",
            }
        ],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                f"{until} in {old_notes}\n"
                f"  && {mode} in {labels} && {labels}[{mode}] == 'enforce'\n"
                f"  && {labels}.all(k, k == {mode} "
                f"|| (k in {old_labels} && {old_labels}[k] == {labels}[k]))\n"
                f"  && {old_labels}.all(k, k in {labels})\n"
                f"  && {notes}.all(k, k in {old_notes} && {old_notes}[k] == {notes}[k])\n"
                f"  && {old_notes}.all(k, k in {ours} || k in {notes})",
                "the operator changes nothing in a namespace but to enforce again; "
                "fix: change it as somebody else",
            )
        ],
    }
