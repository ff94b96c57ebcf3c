"""Which actions of a model are risky, and how the committee decides about them."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from quorate import limits
from quorate.api.v1alpha1.meta import Model, cel, list_map

Capability = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)
]
ToolPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/@+-]+\*?$", max_length=253)]
DeclaredClass = Literal["read", "write", "send", "configure", "delete", "execute", "pay"]
AnyClass = Literal[
    "answer", "read", "write", "send", "configure", "delete", "unknown", "execute", "pay"
]


class ToolDeclaration(Model):
    """What a tool does."""

    name: ToolPattern = Field(
        description="The tool's exact name; with * at its end, every name that begins so. A "
        "whole name counts before a beginning, and the longest beginning before others."
    )
    capability: Capability = Field(
        description="What it belongs to, for floors and freezes. Not admission, chat or undeclared."
    )
    action_class: DeclaredClass = Field(description="What a call of it does.")
    irreversible: bool = Field(default=False, description="Nothing undoes what a call does.")

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!(self.capability in ['admission', 'chat', 'undeclared'])",
                "capability must not be admission, chat or undeclared",
            )
        )
    )


class RiskFloor(Model):
    """The least band of an action, whatever its score."""

    kind: Literal["capability", "tool", "actionClass"] = Field(
        description="What name is a name of."
    )
    name: ToolPattern = Field(
        description="A capability, a tool (with * at its end, every tool that begins so, in any "
        "letters) or an action class. A tool that no ClusterSafetyPolicy declares has capability "
        "undeclared and class unknown; an answer without a call, chat and answer."
    )
    band: Literal["medium", "high", "critical"] = Field(
        description="medium: the fast tier. high: the strict tier. critical: that, and a person."
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.kind == 'tool' || !self.name.endsWith('*')",
                "name must not end with * unless kind is tool",
            ),
        )
    )


class ClassWeight(Model):
    """Where the score of an action class begins."""

    action_class: AnyClass = Field(description="The class.")
    score: int = Field(
        ge=0,
        le=1000,
        description="In thousandths; from 300 the fast tier decides, from 700 the strict one. Only "
        "answer and read may be below 300.",
    )

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.score >= 300 || self.actionClass in ['answer', 'read']",
                "score must be at least 300 but for answer and read",
            )
        )
    )


class RiskRequirements(Model):
    """Which actions are risky. The highest of all policies counts; a SafetyPolicy only raises."""

    tools: list[ToolDeclaration] = Field(
        default_factory=list,
        max_length=limits.RISK_TOOLS,
        description="What tools do. A tool that no ClusterSafetyPolicy declares is of class "
        "unknown, which is high.",
        json_schema_extra=list_map("name"),
    )
    floors: list[RiskFloor] = Field(
        default_factory=list,
        max_length=limits.RISK_FLOORS,
        description="The least band of what they name. Nothing lowers them.",
        json_schema_extra=list_map("kind", "name"),
    )
    weights: list[ClassWeight] = Field(
        default_factory=list,
        max_length=9,
        description="Where scores begin, instead of the defaults in docs/explanation/risk.md.",
        json_schema_extra=list_map("actionClass"),
    )


class VotingRequirements(Model):
    """How the committee is asked. The shortest times of all policies hold, and any veto."""

    fast_milliseconds: int = Field(
        default=200,
        ge=limits.BUDGET_MS_MIN,
        le=limits.BUDGET_MS_MAX,
        description="Milliseconds for the fast tier; what is not decided by then is denied.",
    )
    strict_milliseconds: int = Field(
        default=1000,
        ge=limits.BUDGET_MS_MIN,
        le=limits.BUDGET_MS_MAX,
        description="Milliseconds for the strict tier.",
    )
    veto: Literal["none", "any"] = Field(
        default="none", description="any: every member must approve, in both tiers."
    )
    hold_seconds: int = Field(
        default=900,
        ge=limits.HOLD_LIFE_MIN,
        le=limits.HOLD_LIFE,
        description="Seconds that an action is held for people to approve.",
    )
