"""Policies as an explanation shows them."""

from collections.abc import Mapping

from quorate.admission.snapshot import BrokenPolicy
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import SIGNED
from quorate.policy.server_images import SERVERS_SIGNED
from quorate_cli.explain.explanation import PolicyLine
from quorate_cli.policies import Answer, unmet


def policy_line(policy: CompiledPolicy, selects: Answer, labels: Mapping[str, str]) -> PolicyLine:
    """The policy as the explanation shows it."""
    terms = unmet(policy.spec.selector, labels) if selects != "yes" else ()
    asks = [SIGNED] if policy.signers else []
    asks += [SERVERS_SIGNED] if policy.server_signers else []
    asks += [gate.requirement for gate in policy.gates]
    return PolicyLine(
        ref=str(policy.ref),
        digest=policy.digest,
        selects=selects,
        because=tuple(
            # Of a model's pods, other labels are not known.
            f"{term.text} ({term.state})" if selects == "no" else term.text
            for term in terms
        ),
        names_signers=policy.signers is not None,
        owner=policy.safety_contact,
        asks=tuple(asks),
    )


def broken_line(policy: BrokenPolicy) -> PolicyLine:
    """A policy that does not compile: whether it selects cannot be known, so it denies."""
    return PolicyLine(ref=policy.ref, digest="", selects="unknown", problem=policy.message)
