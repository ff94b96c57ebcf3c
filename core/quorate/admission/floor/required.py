"""Every pod is injected and gated, unless the platform exempts every image it brings.

The API server evaluates a policy once per ClusterSafetyPolicy and all must allow: that is how
policies intersect. What it cannot say this way is that *no* policy selects a pod. Validate denies
that; the floor does where ``deny_unselected`` is on, or a policy with an empty selector exists.
"""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import NOT_A_MIRROR, Document, listed, matching, variable
from quorate.admission.floor.config import FloorConfig
from quorate.admission.pods import INJECTED
from quorate.verdict import Reason


def required(config: FloorConfig) -> Document:
    """Spec of the policy that asks for injection and gate, once per ClusterSafetyPolicy."""
    return {
        "paramKind": {"apiVersion": names.API_VERSION, "kind": "ClusterSafetyPolicy"},
        **matching("CREATE", "pods"),
        "matchConditions": [NOT_A_MIRROR],
        "variables": _variables(config),
        "validations": [_for_policy(*requirement) for requirement in _requirements()],
    }


def _for_policy(reason: Reason, expression: str, message: str) -> Document:
    """A validation whose message names the policy it speaks for, and that policy's owner."""
    return {
        "expression": f"variables.passes || ({expression})",
        "message": f"{reason}: {message}",
        "messageExpression": f"'{reason}: {message}; policy: ClusterSafetyPolicy/'\n"
        "  + params.metadata.name + variables.owner",
        "reason": "Forbidden",
    }


def _variables(config: FloorConfig) -> list[Document]:
    return [
        listed("init", "initContainers"),
        listed("containers", "containers"),
        listed("volumes", "volumes"),
        variable("all", "variables.containers + variables.init"),
        variable(
            # An image volume may hold a program as well as a container's image may.
            "images",
            "variables.all.map(c, has(c.image) ? c.image : '')\n"
            "  + variables.volumes.filter(v, has(v.image))\n"
            "    .map(v, has(v.image.reference) ? v.image.reference : '')",
        ),
        variable(
            "labels",
            "has(object.metadata.labels) ? dyn(object.metadata.labels) : dyn({})",
        ),
        variable("selector", "params.spec.selector"),
        variable("selected", f"{_MATCH_LABELS}\n&& {_MATCH_EXPRESSIONS}"),
        variable(
            "exempt",
            "has(params.spec.exemptImages) && variables.images.all(i,\n"
            "  params.spec.exemptImages.exists(e, i.endsWith('@' + e.digest)))",
        ),
        variable(
            "passes",
            f"variables.selected ? variables.exempt : !({config.deny_unselected}) "
            "|| variables.exempt",
        ),
        variable(
            "owner",
            "has(params.spec.owners) ? '; owner: ' + params.spec.owners.safety.name\n"
            "  + ' <' + params.spec.owners.safety.contact + '>' : ''",
        ),
    ]


_MATCH_LABELS = (
    "(!has(variables.selector.matchLabels)\n"
    "  || variables.selector.matchLabels.all(k, k in variables.labels\n"
    "    && variables.labels[k] == variables.selector.matchLabels[k]))"
)
_MATCH_EXPRESSIONS = (
    "(!has(variables.selector.matchExpressions)\n"
    "  || variables.selector.matchExpressions.all(e,\n"
    "    e.operator == 'In' ? e.key in variables.labels && variables.labels[e.key] in e.values\n"
    "    : e.operator == 'NotIn' ? !(e.key in variables.labels "
    "&& variables.labels[e.key] in e.values)\n"
    "    : e.operator == 'Exists' ? e.key in variables.labels\n"
    "    : e.operator == 'DoesNotExist' && !(e.key in variables.labels)))"
)


def _requirements() -> list[tuple[Reason, str, str]]:
    """``(reason, expression, message)`` of what every pod that is not exempt must show."""
    host = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
    context = "c.securityContext"
    return [
        (
            Reason.PRESET_NODE,
            "!has(object.spec.nodeName) || object.spec.nodeName == ''",
            "spec.nodeName must not be set: the scheduler would not see the pod",
        ),
        *(
            (
                Reason.HOST_ACCESS,
                f"!has(object.spec.{name}) || !object.spec.{name}",
                f"spec.{name} must not be true",
            )
            for name in host
        ),
        (
            Reason.HOST_ACCESS,
            f"variables.all.all(c, !has({context}) || !has({context}.privileged)\n"
            f"  || !{context}.privileged)",
            "no container may be privileged",
        ),
        (
            Reason.HOST_ACCESS,
            f"variables.all.all(c, !has({context}) || !has({context}.capabilities)\n"
            f"  || !has({context}.capabilities.add) || size({context}.capabilities.add) == 0)",
            "no container may add capabilities",
        ),
        (
            Reason.HOST_ACCESS,
            "variables.volumes.all(v, !has(v.hostPath)) || (has(params.spec.model)\n"
            "  && has(params.spec.model.sources) && 'HostPath' in params.spec.model.sources)",
            "hostPath volumes must not be used unless the policy names HostPath in model.sources",
        ),
        (
            Reason.NOT_INJECTED,
            f"{literal(list(INJECTED))}.all(n, variables.init.exists(c, c.name == n))",
            "the pod must carry the injected containers, or all its images must be exempt; "
            "fix: create the pod anew once the webhook answers",
        ),
        (
            Reason.NOT_GATED,
            "has(object.spec.schedulingGates) && object.spec.schedulingGates.exists(g,\n"
            f"  g.name == {literal(names.SCHEDULING_GATE)})",
            f"the pod must carry the scheduling gate {names.SCHEDULING_GATE}; "
            "fix: create the pod anew once the webhook answers",
        ),
    ]
