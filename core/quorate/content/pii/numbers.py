"""Checksums and allocation rules of numbers that name a person or an account."""

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country (ISO 13616 registry)."""

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def digits_of(text: bytes) -> list[int]:
    """The decimal digits in ``text``, in order."""
    return [byte - 48 for byte in text if 48 <= byte <= 57]


def luhn(digits: list[int]) -> bool:
    """True if the last digit is the Luhn check digit (ISO/IEC 7812-1) of the others."""
    total = sum(digits[-1::-2]) + sum(_DOUBLED[digit] for digit in digits[-2::-2])
    return total % 10 == 0


def is_payment_card(text: bytes) -> bool:
    """True if ``text`` begins with a card number: 13 to 19 digits, valid check digit, not one digit
    repeated. What follows in a group of its own may be another number, such as an expiry date."""
    ends = [at for at, byte in enumerate(text) if byte in b" -"]
    return any(_is_card(digits_of(text[:end])) for end in [*ends, len(text)])


def _is_card(digits: list[int]) -> bool:
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn(digits)


def is_iban(text: bytes) -> bool:
    """True if ``text`` begins with an IBAN: known country, its length, remainder 1 modulo 97."""
    letters = text.replace(b" ", b"").decode("ascii")
    length = IBAN_LENGTHS.get(letters[:2])
    if length is None or len(letters) < length:
        return False
    turned = letters[4:length] + letters[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def is_phone(text: bytes) -> bool:
    """True for as many digits as E.164 allows and a subscriber can have."""
    return 8 <= len(digits_of(text)) <= 15


def is_ssn(text: bytes) -> bool:
    """True unless the area, group or serial was never issued."""
    area, group, serial = text.split(b"-")
    return area not in (b"000", b"666") and group != b"00" and serial != b"0000"
