"""A gate of a policy: which evidence a model must have, and who must vouch for it."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import Digest, Model, ShortName, cel
from quorate.api.v1alpha1.signers import Signers
from quorate.predicates import PredicateUri

MAX_AGE: Final = 366 * 24 * 3600
"""The oldest evidence any gate may accept, in seconds."""
CelText = Annotated[str, StringConstraints(max_length=limits.CONDITION_CHARS)]
_WITH_SUITES = (PredicateUri.TEST_RESULT, PredicateUri.SVR, PredicateUri.VSA)
_WITH_CONDITION = (
    PredicateUri.SVR,
    PredicateUri.VSA,
    PredicateUri.VULNS,
    PredicateUri.PROVENANCE,
)


def _in(uris: tuple[PredicateUri, ...]) -> str:
    return f"self.predicateType in [{', '.join(repr(uri.value) for uri in uris)}]"


class Gate(Model):
    """Evidence the model must have, and who must vouch for it.

    Of the statements that a gate applies to, the newest decides.
    """

    name: ShortName = Field(description="Name of the gate in conditions and denials.")
    predicate_type: PredicateUri = Field(
        default=PredicateUri.TEST_RESULT,
        description="in-toto predicate type of the statement: what kind of evidence it is.",
    )
    source: Literal["Inline"] = Field(
        default="Inline",
        description="Where the statement is read from. Inline: the AttestedModel's spec.evidence, "
        "and what the operator reads from its spec.evidenceFrom.",
    )
    suites: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the test suites that are accepted, or of the policies that a "
        "verification summary or result is about. A test result needs them.",
    )
    datasets: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the datasets that are accepted; empty accepts any.",
    )
    harnesses: list[Digest] = Field(
        default_factory=list,
        max_length=16,
        description="Digests of the harnesses that are accepted; empty accepts any.",
    )
    producers: Signers = Field(description="Whose signatures on the statement count.")
    max_age_seconds: int = Field(
        ge=60,
        le=MAX_AGE,
        description="How old the statement may be, in seconds since what it reports was done.",
    )
    applies_to: CelText = Field(
        default="",
        description="CEL expression over predicate: which statements of the type this gate is "
        "about. Others neither pass nor fail it. Empty is all.",
    )
    condition: CelText = Field(
        default="",
        description="CEL expression over predicate that must hold for the gate to be passed. An "
        "error is a failure.",
    )
    accept_draft: bool = Field(
        default=False,
        description="Accept a predicate type that is a draft and may change: eval-result.",
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                f"self.predicateType != '{PredicateUri.TEST_RESULT}' || "
                "(has(self.suites) && size(self.suites) > 0)",
                "suites must be set for a test result",
            ),
            (
                f"{_in(_WITH_SUITES)} || !has(self.suites) || size(self.suites) == 0",
                "suites must be empty for a predicate type that names none",
            ),
            (
                f"!({_in(_WITH_CONDITION)}) || (has(self.condition) && self.condition != '')",
                "condition must be set for a predicate type that gives no verdict of its own",
            ),
            (
                f"self.predicateType != '{PredicateUri.EVAL_RESULT}' || "
                "(has(self.acceptDraft) && self.acceptDraft)",
                "acceptDraft must be true for eval-result, whose format is a draft",
            ),
        )
    )
