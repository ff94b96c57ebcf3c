"""Whose an ask is: the audience that an approval is for, and the names that freezes go by. Pure.

Asker and members derive both from the same documents, so neither can mean another's.
"""

from quorate.consensus.freeze import Scope, Target
from quorate.consensus.request import Principal, Request
from quorate.keys import load_public_key


def audience(session_key: str) -> bytes:
    """The audience of the enforcement point with this session key (PEM, as in its receipt): the
    SHA-256 of its SubjectPublicKeyInfo. Raises InvalidInput for what is no key."""
    return bytes.fromhex(load_public_key(session_key).key_id.removeprefix("sha256:"))


def target(principal: Principal, capability: str) -> Target:
    """What a freeze must name to cover an action. A namespace is a tenant; a workload's name is one
    in its namespace only, so it is ``NAMESPACE/WORKLOAD``; a model's version is its manifest."""
    return Target(
        {
            Scope.CAPABILITY: capability,
            Scope.TENANT: principal.namespace,
            Scope.NAMESPACE: principal.namespace,
            Scope.WORKLOAD: f"{principal.namespace}/{principal.workload}",
            Scope.MODEL_VERSION: principal.manifest_digest,
        }
    )


def target_of(request: Request) -> Target:
    """The target of what a request asks about."""
    return target(request.principal, request.capability)
