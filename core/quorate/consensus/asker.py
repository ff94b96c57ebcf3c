"""Whose an ask is: the audience that an approval is for, and the names that freezes go by. Pure.

Asker and members derive both from the same documents, so neither can mean another's.
"""

from collections.abc import Collection

from quorate.consensus.freeze import Scope, Target
from quorate.consensus.request import Principal, Request
from quorate.keys import load_public_key


def audience(session_key: str) -> bytes:
    """The audience of the enforcement point with this session key (PEM, as in its receipt): the
    SHA-256 of its SubjectPublicKeyInfo. Raises InvalidInput for what is no key."""
    return bytes.fromhex(load_public_key(session_key).key_id.removeprefix("sha256:"))


def target(principal: Principal, capability: str, others: Collection[str] = ()) -> Target:
    """What a freeze must name to cover an action.

    ``others``: further capabilities that a policy declares the action to be of. A namespace is a
    tenant; a workload's name is one in its namespace only, so it is ``NAMESPACE/WORKLOAD``; a
    model's version is its manifest.
    """
    namespace = principal.namespace
    return Target(
        {
            Scope.CAPABILITY: frozenset({capability, *others}),
            Scope.TENANT: namespace,
            Scope.NAMESPACE: namespace,
            Scope.WORKLOAD: frozenset(f"{namespace}/{name}" for name in workloads(principal)),
            Scope.MODEL_VERSION: principal.manifest_digest,
        }
    )


def workloads(principal: Principal) -> list[str]:
    """The workload's name and all that its controllers may have: each beginning before a dash.

    A pod is named after what makes it, and what makes it names the next one otherwise. So a freeze
    of ``chat`` holds for ``chat-7d9f-x2``, whatever comes after a restart, and for ``chat-eu`` too.
    """
    parts = principal.workload.split("-")
    return ["-".join(parts[:count]) for count in range(len(parts), 0, -1) if parts[count - 1]]


def target_of(request: Request) -> Target:
    """The target of what a request asks about, by its own word."""
    return target(request.principal, request.capability)
