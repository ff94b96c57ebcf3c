"""What may change in an admitted pod: the operator alone removes the gate."""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import (
    STARTS_RESERVED,
    Document,
    matching,
    validation,
    variable,
)
from quorate.admission.pods import INJECTED
from quorate.verdict import Reason

# The subresource is absent, not empty, for the pod itself.
_NOT_DEBUGGING = (
    "!has(request.subResource) || request.subResource != 'ephemeralcontainers'\n"
    "  || size(variables.injected) == 0"
)
_MAY_DEBUG = (
    f"authorizer.group({literal(names.GROUP)}).resource('safetyexceptions')"
    f".namespace({literal(names.NAMESPACE)}).check('use').allowed()"
)
"""Whether an exception covers it only validate can tell, which verifies signatures. Here is who may
ever: without our webhook these few could, and the escape scan would delete the pod."""


def changes() -> Document:
    """Spec of the policy for UPDATE of a pod and for debugging containers."""
    gate = literal(names.SCHEDULING_GATE)

    def gated(pod: str) -> str:
        gates = f"{pod}.spec.schedulingGates"
        return f"has({gates}) && {gates}.exists(g, g.name == {gate})"

    return {
        **matching("UPDATE", "pods", "pods/ephemeralcontainers"),
        "variables": [
            variable(
                "injected",
                "(has(oldObject.spec.initContainers) ? dyn(oldObject.spec.initContainers) "
                f": dyn([]))\n  .filter(c, c.name in {literal(list(INJECTED))})",
            ),
        ],
        "validations": [
            validation(
                Reason.GATE_HELD,
                f"!({gated('oldObject')})\n  || ({gated('object')})\n"
                f"  || request.userInfo.username == {literal(names.OPERATOR_USER)}",
                f"only the operator removes {names.SCHEDULING_GATE}; "
                "fix: kubectl quorate explain pod/NAME says what it waits for",
            ),
            validation(
                Reason.NOT_INJECTED,
                "variables.injected.all(old, object.spec.initContainers.exists(new,\n"
                "  new.name == old.name && new.image == old.image))",
                "the images of the injected containers must not change; fix: create the pod anew",
            ),
            validation(
                Reason.EPHEMERAL_CONTAINER,
                f"{_NOT_DEBUGGING}\n  || {_MAY_DEBUG}",
                "ephemeral containers must not be added to a model pod; fix: debug a copy of the "
                "pod in a namespace that does not enforce, or, with a SafetyException, be allowed "
                f"to use safetyexceptions in {names.NAMESPACE}",
            ),
            validation(
                Reason.EPHEMERAL_CONTAINER,
                f"{_NOT_DEBUGGING}\n  || !has(object.spec.ephemeralContainers)\n"
                "  || object.spec.ephemeralContainers.all(c,\n"
                f"    !c{STARTS_RESERVED}\n"
                "    && (!has(c.targetContainerName)\n"
                f"      || !(c.targetContainerName in {literal(list(INJECTED))}))\n"
                f"    && (!has(c.volumeMounts) || !c.volumeMounts.exists(m, m{STARTS_RESERVED})))",
                "an ephemeral container must not come near the injected containers: no process, "
                "volume or name of theirs; fix: target the server, or nothing",
            ),
        ],
    }
