"""Verdicts: nothing but the absence of denials allows."""

from quorate.verdict import ALLOW, Denial, Reason, Verdict, all_of, deny


def test_only_no_denial_allows() -> None:
    """One denial among many allowances denies."""
    no = deny(Reason.REVOKED, "key revoked")
    assert ALLOW.allowed
    assert not no.allowed
    assert all_of(ALLOW, ALLOW).allowed
    assert not all_of(ALLOW, no, ALLOW).allowed


def test_all_denials_are_kept_in_order_and_once() -> None:
    """A person sees every reason, none twice."""
    one, two = deny(Reason.GATE_MISSING, "a"), deny(Reason.GATE_FAILED, "b")
    together = all_of(one, two, one, all_of(two, one))
    assert [denial.reason for denial in together.denials] == [
        Reason.GATE_MISSING,
        Reason.GATE_FAILED,
    ]


def test_text_names_what_a_person_needs() -> None:
    """Reason, message, requirement, policy, owner and fix appear, and only those that are known."""
    denial = Denial(
        Reason.GATE_EXPIRED,
        "run 40 days ago",
        requirement="Gate/red-team",
        policy="ClusterSafetyPolicy/floor",
        owner="Safety <safety@example.com>",
        fix="run the gate again",
    )
    assert denial.text() == (
        "GateExpired: run 40 days ago; requirement: Gate/red-team; "
        "policy: ClusterSafetyPolicy/floor; owner: Safety <safety@example.com>; "
        "fix: run the gate again"
    )
    assert Denial(Reason.INTERNAL, "x").text() == "InternalError: x"
    assert Verdict((denial, Denial(Reason.INTERNAL, "x"))).text().count("\n") == 1
    assert ALLOW.text() == "allowed"


def test_reasons_are_stable_words() -> None:
    """Reasons are distinct CamelCase words: conditions, Events and metrics carry them."""
    values = [reason.value for reason in Reason]
    assert len(set(values)) == len(values)
    assert all(value.isalnum() and value[0].isupper() for value in values)
