"""The PII check on generated numbers: the checksum decides, whatever the grouping."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quorate.content.pii.numbers import IBAN_LENGTHS, is_iban, is_payment_card, luhn
from quorate.policy.runtime import CheckRule
from quorate_sidecar.checks.lane import Tally, decide
from quorate_sidecar.checks.scanner import scanner_for

MASK = scanner_for((CheckRule("pii", "mask"),))


def rules_found(text: str) -> set[str]:
    """The rules that found something in ``text``."""
    tally: Tally = {}
    decide(MASK, text, tally)
    return {rule for _, rule, _ in tally}


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A payment card number with a valid check digit, in some grouping."""
    body = draw(st.sampled_from("23456")) + draw(st.text("0123456789", min_size=11, max_size=17))
    check = next(digit for digit in "0123456789" if luhn([int(char) for char in body + digit]))
    number = body + check
    assume(len(set(number)) > 1)
    size, glue = draw(st.integers(3, 6)), draw(st.sampled_from(["", " ", "-"]))
    return glue.join(number[at : at + size] for at in range(0, len(number), size))


@settings(deadline=None)
@given(cards())
@pytest.mark.requirement("sidecar: personal data is found")
def test_cards_are_found_in_any_grouping(card: str) -> None:
    """A valid number is found with spaces, dashes or neither."""
    assert "payment-card" in rules_found(f"pay with {card}, please")


@settings(deadline=None)
@given(cards(), st.data())
def test_one_wrong_digit_is_no_card(card: str, data: st.DataObject) -> None:
    """The check digit catches every single wrong digit."""
    number = "".join(char for char in card if char.isdigit())
    at = data.draw(st.integers(0, len(number) - 1))
    other = str((int(number[at]) + data.draw(st.integers(1, 9))) % 10)
    assert not is_payment_card((number[:at] + other + number[at + 1 :]).encode())


@settings(deadline=None)
@given(cards(), st.sampled_from([" 7", " 12/27", " 123", "-1", " 4"]))
def test_numbers_behind_a_card_do_not_hide_it(card: str, after: str) -> None:
    """An expiry date or a code that follows a card belongs to another number."""
    assert "payment-card" in rules_found(f"card {card}{after} ok")


@settings(deadline=None)
@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.data())
@pytest.mark.requirement("sidecar: personal data is found")
def test_ibans_of_every_country_are_found(country: str, data: st.DataObject) -> None:
    """A valid IBAN is found in print and in electronic form; one wrong digit is not valid."""
    size = IBAN_LENGTHS[country] - 4
    account = data.draw(st.text("0123456789", min_size=size, max_size=size))
    letters = "".join(str(int(char, 36)) for char in f"{account}{country}00")
    iban = f"{country}{98 - int(letters) % 97:02}{account}"
    printed = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
    assert "iban" in rules_found(f"to {iban}.")
    assert "iban" in rules_found(f"to {printed}.")
    at = data.draw(st.integers(4, len(iban) - 1))
    wrong = iban[:at] + str((int(iban[at]) + 1) % 10) + iban[at + 1 :]
    assert not is_iban(wrong.encode())


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_masked_without_error(text: str) -> None:
    """Arbitrary text comes back, masked or not."""
    tally: Tally = {}
    released = decide(MASK, text, tally)
    assert (released == text) == (not tally)
