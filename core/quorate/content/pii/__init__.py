"""Personal data with a checkable form: e-mail, telephone, payment cards, IBAN, US social security.

Finds numbers that satisfy their own checksum or allocation rules, and addresses and telephone
numbers by form. Does not find names, postal addresses or numbers without a form of their own.
"""

from quorate.content.patterns import TOKEN_DOTTED, Pattern, PatternCheck
from quorate.content.pii.numbers import is_iban, is_payment_card, is_phone, is_ssn

_NUMBER = b"0123456789 .()+-"
_IBAN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "

PII = PatternCheck(
    "pii",
    (
        Pattern(
            "email",
            rb"[0-9A-Za-z._%+-]@(?:[0-9A-Za-z-]{1,63}\.){1,4}[A-Za-z]{2,24}\b",
            length_max=345,
            lead=TOKEN_DOTTED + b"%+",
            lead_max=63,
        ),
        Pattern(
            "phone-international",
            rb"\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?(?:[0-9][ .-]?){5,12}[0-9]\b",
            length_max=37,
            alphabet=_NUMBER,
            accept=is_phone,
        ),
        Pattern(
            "phone-north-america",
            rb"(?:\(|\b)[2-9][0-9]{2}(?:\) ?|[.-])[2-9][0-9]{2}[ .-][0-9]{4}\b",
            length_max=14,
            alphabet=_NUMBER,
        ),
        Pattern(
            "payment-card",
            rb"\b[2-6](?:[ -]?[0-9]){12,18}\b",
            length_max=37,
            alphabet=_NUMBER,
            accept=is_payment_card,
        ),
        Pattern(
            "iban",
            rb"\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b",
            length_max=43,
            alphabet=_IBAN,
            accept=is_iban,
        ),
        Pattern(
            "us-social-security",
            rb"\b[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}\b",
            length_max=11,
            alphabet=_NUMBER,
            accept=is_ssn,
        ),
    ),
)
