"""Every error this project raises on purpose.

::

    QuorateError
    ├── InvalidInput          a document is not what it must be (names the field)
    │   └── LimitExceeded     a document is larger or deeper than a bound in limits.py
    ├── EvidenceError         a well-formed document does not prove what it must
    │   ├── SignatureError    a signature is missing, wrong, or by a key that does not count
    │   ├── SubjectMismatch   the document speaks of something else
    │   └── Expired           the document was true, and no longer counts
    └── Unavailable           something that is needed did not answer in time

Whoever catches a ``QuorateError`` while deciding answers DENY; so does whoever catches anything
else. The tree exists for the reason a person is shown, not to tell safe errors from unsafe ones.
"""


class QuorateError(Exception):
    """An error with the field it is about and what would fix it."""

    def __init__(self, message: str, *, field: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.fix = fix

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        fix = f" ({self.fix})" if self.fix else ""
        return f"{where}{self.message}{fix}"


class InvalidInput(QuorateError):
    """A document is malformed: not parseable, or a field is missing, unknown or out of range."""


class LimitExceeded(InvalidInput):
    """A document is larger, deeper or longer than a bound in :mod:`quorate.limits`."""


class EvidenceError(QuorateError):
    """A well-formed document does not prove what it must prove."""


class SignatureError(EvidenceError):
    """A signature is missing, does not verify, or was made by a key that does not count."""


class SubjectMismatch(EvidenceError):
    """The document is about something other than what is being judged."""


class Expired(EvidenceError):
    """The document is outside the time in which it counts."""


class Unavailable(QuorateError):
    """A service that is needed did not answer in time."""
