"""Guards of the switches: a namespace's mode, a pod's labels, and our webhook configurations.

Whoever may turn one of them off decides about every pod behind it, so that takes the right to
decide about the platform's policies: ``update`` on clustersafetypolicies.
"""

from quorate import names
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import Document, matching, validation, variable
from quorate.admission.floor.config import GENESIS_SECRET
from quorate.verdict import Reason

INSTALL_USER = f"system:serviceaccount:{names.NAMESPACE}:quorate-install"
"""The install Job's account sets the webhooks' CA, and nothing else of them."""
CONFIGURATION = "quorate"
"""Name of both webhook configurations."""

_TRUSTED = variable(
    "trusted",
    f"authorizer.group({literal(names.GROUP)}).resource('clustersafetypolicies')"
    ".check('update').allowed()",
)
_ASK = "fix: ask somebody who may update ClusterSafetyPolicies"


def mode() -> Document:
    """Spec of the policy for namespaces: who may end enforcement, or say for how long it is ended.

    Kubernetes lets a namespace's status and finalize subresources change its metadata too.
    """
    until, by = literal(names.ENFORCE_AGAIN), literal(names.SUSPENDED_BY)
    words = literal([names.ENFORCE_AGAIN, names.SUSPENDED_BECAUSE, names.SUSPENDED_BY])
    old, new = _annotations("oldObject"), _annotations("object")
    same = f"(k in {old}) == (k in {new}) && (!(k in {old}) || {old}[k] == {new}[k])"
    return {
        **matching("UPDATE", "namespaces", "namespaces/status", "namespaces/finalize"),
        "matchConditions": [
            {
                "name": "enforcement-ends-or-is-to-begin-at-another-time",
                "expression": f"!({_enforces('object')})\n"
                f"  && (({_enforces('oldObject')})\n"
                f"    || (({until} in {old} || {until} in {new})\n"
                f"      && !{words}.all(k, {same})))",
            }
        ],
        "variables": [_TRUSTED],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                "variables.trusted",
                f"label {names.MODE_LABEL}=enforce, and what says when it comes back, are taken "
                f"away only by those who may update ClusterSafetyPolicies; {_ASK}",
            ),
            validation(
                Reason.GUARDED_CHANGE,
                f"!({until} in {new})\n"
                f"  || ({by} in {new} && {new}[{by}] == request.userInfo.username)",
                f"annotation {names.SUSPENDED_BY} must name who suspends enforcement; "
                "fix: set it to what kubectl auth whoami says",
            ),
        ],
    }


def _enforces(namespace: str) -> str:
    labels, key = f"{namespace}.metadata.labels", literal(names.MODE_LABEL)
    return f"has({labels}) && {key} in {labels} && {labels}[{key}] == 'enforce'"


def _annotations(namespace: str) -> str:
    found = f"{namespace}.metadata.annotations"
    return f"(has({found}) ? dyn({found}) : dyn({{}}))"


def labels() -> Document:
    """Spec of the policy for a pod's status: a way to change labels that no webhook is asked about.

    Labels say which policies select a pod and which model it serves.
    """

    def of(pod: str) -> str:
        found = f"{pod}.metadata.labels"
        return f"(has({found}) ? dyn({found}) : dyn({{}}))"

    return {
        **matching("UPDATE", "pods/status"),
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                f"{of('object')} == {of('oldObject')}",
                "labels must not change with a pod's status; fix: change the pod itself",
            )
        ],
    }


def _without_authority(configuration: str) -> str:
    """What a configuration says of each of its webhooks, but for whom to believe that it is it."""
    fields = ("rules", "failurePolicy", "matchPolicy", "namespaceSelector", "objectSelector",
              "sideEffects", "timeoutSeconds", "admissionReviewVersions")  # fmt: skip
    said = ["dyn(w.name)", *(f"dyn(w.{field})" for field in fields)]
    said += [
        "has(w.matchConditions) ? dyn(w.matchConditions) : dyn([])",
        "has(w.clientConfig.service) ? dyn(w.clientConfig.service) : dyn(0)",
        "has(w.clientConfig.url) ? dyn(w.clientConfig.url) : dyn(0)",
    ]
    return f"{configuration}.webhooks.map(w, [\n      {', '.join(said)}])"


def configurations() -> Document:
    """Spec of the policy for our webhook configurations: who may change or delete them."""
    rule = {
        "apiGroups": ["admissionregistration.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE", "DELETE"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    }
    return {
        "matchConstraints": {"resourceRules": [rule]},
        # Not by resourceNames: who deletes the collection names none.
        "matchConditions": [
            {
                "name": "ours",
                "expression": f"oldObject.metadata.name == {literal(CONFIGURATION)}",
            }
        ],
        "variables": [_TRUSTED],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                f"variables.trusted\n  || (request.userInfo.username == {literal(INSTALL_USER)}\n"
                "    && request.operation == 'UPDATE'\n"
                "    && has(object.webhooks) && has(oldObject.webhooks)\n"
                f"    && {_without_authority('object')}\n"
                f"      == {_without_authority('oldObject')})",
                "our webhook configurations are changed only by those who may update "
                f"ClusterSafetyPolicies; {_ASK}",
            )
        ],
    }


def parameter(namespace: str) -> Document:
    """Spec of the policy for the floor's own parameter: with another, it takes another genesis."""
    name = "oldObject.metadata.name"
    return {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["UPDATE", "DELETE"],
                    "resources": ["secrets"],
                }
            ]
        },
        "matchConditions": [
            {
                "name": "ours",
                "expression": f"oldObject != null && {name} == {literal(GENESIS_SECRET)}\n"
                f"  && oldObject.metadata.namespace == {literal(namespace)}",
            }
        ],
        "variables": [_TRUSTED],
        "validations": [
            validation(
                Reason.GUARDED_CHANGE,
                # With its namespace it goes, or the namespace could not.
                "variables.trusted || has(namespaceObject.metadata.deletionTimestamp)",
                "the floor's parameter is changed only by those who may update "
                f"ClusterSafetyPolicies; {_ASK}",
            )
        ],
    }
