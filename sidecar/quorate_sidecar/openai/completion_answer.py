"""``POST /v1/completions``: the answer, whole and in chunks; the two have one shape."""

from typing import Annotated, Literal

from msgspec import Meta

from quorate_sidecar.openai.answer import AnswerDecoder
from quorate_sidecar.openai.chat_answer import Choice, Envelope, ToolCallDelta
from quorate_sidecar.openai.fields import Visitor


class CompletionChoice(Choice, kw_only=True):
    """One of ``n`` continuations, or a piece of one."""

    text: str

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor the text."""
        self.text = visitor.prose(f"choices[{self.index}].text", self.text)
        self.drop_extras()

    def take(self) -> dict[str, str]:
        """Remove the text; returns it by lane."""
        taken, self.text = self.text, ""
        return {"text": taken} if taken else {}

    def take_calls(self) -> list[ToolCallDelta]:
        """A continuation calls nothing."""
        return []

    def put(self, released: dict[str, str]) -> None:
        """Add text that may leave."""
        self.text = released.get("text", "")

    def put_calls(self, calls: list[ToolCallDelta]) -> None:
        """Nothing: there are none."""

    def fixed(self) -> list[str]:
        """A continuation has no names."""
        return []

    def empty(self) -> bool:
        """True if no text is left."""
        return not self.text

    def finishing(self, finish_reason: str) -> "CompletionChoice":
        """The last piece of this choice: no text, only why it ended."""
        return CompletionChoice(index=self.index, text="", finish_reason=finish_reason)

    @classmethod
    def blank(cls, index: int) -> "CompletionChoice":
        """A piece without anything, to put text into."""
        return cls(index=index, text="", finish_reason=None)


class CompletionAnswer(Envelope, kw_only=True):
    """A whole answer, or one event of a streamed one."""

    object: Literal["text_completion"]
    choices: Annotated[list[CompletionChoice], Meta(max_length=1024)]

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor every text, and drop what is not OpenAI's."""
        self.visit_envelope(visitor)
        for choice in self.choices:
            choice.visit(visitor)
        self.drop_extras()


COMPLETION_ANSWER = AnswerDecoder(CompletionAnswer)
