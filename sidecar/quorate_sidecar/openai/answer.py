"""Reading what a model server answers: nothing is released that was not understood."""

from typing import Generic, TypeVar

import msgspec

from quorate_sidecar.refusal import Code, Refusal

T = TypeVar("T", bound=msgspec.Struct)


def not_understood(message: str) -> Refusal:
    """The refusal for an answer that this sidecar cannot check."""
    return Refusal(502, Code.UPSTREAM_INVALID, f"the model server's answer: {message}")


class AnswerDecoder(Generic[T]):
    """Decodes answers of one closed type. Duplicate keys do no harm: what is read is rewritten."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> T:
        """The value of ``body``. Raises Refusal for anything unknown or malformed."""
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise not_understood(str(error)) from None
