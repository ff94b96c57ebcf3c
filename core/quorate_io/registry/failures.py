"""Why nothing was read from a registry, as stable words."""

from enum import StrEnum

from quorate.errors import QuorateError


class Why(StrEnum):
    """What went wrong."""

    NOT_ALLOWED = "RegistryNotAllowed"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    UNAVAILABLE = "RegistryUnavailable"
    DENIED = "RegistryDenied"
    NOT_FOUND = "NotFound"
    DIGEST_MISMATCH = "DigestMismatch"
    TOO_LARGE = "TooLarge"
    TOO_MANY = "TooManyDocuments"
    MALFORMED = "MalformedAnswer"


class RegistryFailed(QuorateError):
    """Nothing that counts was read, and why."""

    def __init__(self, why: Why, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.why = why
