"""Exec, attach and port-forward, as far as the API server can judge them without the pod.

A CONNECT review shows only its options. Whether the pod serves a model is for validate; what holds
of every pod of the namespace, and of the injected containers, is here.
"""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.connect import SUBRESOURCES
from quorate.admission.floor.clauses import Document, matching, validation
from quorate.admission.pods import INJECTED
from quorate.verdict import Reason


def connections() -> Document:
    """Spec of the policy for CONNECT to pods of enforced namespaces."""
    label = literal(names.CONNECT_LABEL)
    labels = "namespaceObject.metadata.labels"
    return {
        **matching("CONNECT", *(f"pods/{name}" for name in SUBRESOURCES)),
        "validations": [
            validation(
                Reason.CONNECT_REFUSED,
                f"!has(object.container) || !(object.container in {literal(list(INJECTED))})",
                "nobody may exec into or attach to the injected containers: they hold the pod's "
                "key; fix: kubectl logs shows what they say",
            ),
            validation(
                Reason.CONNECT_REFUSED,
                f"!has({labels}) || !({label} in {labels}) || {labels}[{label}] != 'refuse'",
                f"the namespace is labelled {names.CONNECT_LABEL}=refuse; "
                "fix: kubectl logs, kubectl quorate explain pod/NAME",
            ),
        ],
    }
