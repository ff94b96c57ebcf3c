"""Risk tables: what cannot be meant is refused, with its field."""

import msgspec
import pytest

from quorate.consensus.request import BAND_FROM, Band
from quorate.errors import InvalidInput
from quorate.risk.rules import (
    HARMLESS,
    WEIGHTS,
    ActionClass,
    Floor,
    FloorKind,
    RiskTable,
    Tool,
    Weight,
    check,
)
from quorate.statements import convert, encode

PAY = Tool("transfer", "payments", ActionClass.PAY)


def test_a_table_reads_as_it_was_written() -> None:
    """Through its canonical form, with nothing sent that is as by default."""
    table = RiskTable(
        platform=True,
        tools=(PAY,),
        floors=(Floor(FloorKind.CAPABILITY, "payments", Band.CRITICAL),),
        weights=(Weight(ActionClass.READ, 200),),
    )
    check(table, "risk")
    assert convert(msgspec.json.decode(encode(table)), RiskTable, "risk") == table
    assert encode(RiskTable(platform=False)) == b'{"platform":false}'


WRONG: dict[str, tuple[RiskTable, str]] = {
    "a tool twice": (RiskTable(True, (PAY, PAY)), "risk.tools"),
    "a floor twice": (
        RiskTable(True, floors=(Floor(FloorKind.TOOL, "t", Band.HIGH),) * 2),
        "risk.floors",
    ),
    "a weight twice": (
        RiskTable(True, weights=(Weight(ActionClass.READ, 1), Weight(ActionClass.READ, 2))),
        "risk.weights",
    ),
    "a floor of no class": (
        RiskTable(True, floors=(Floor(FloorKind.ACTION_CLASS, "pays", Band.HIGH),)),
        "risk.floors",
    ),
    "a star for capabilities": (
        RiskTable(True, floors=(Floor(FloorKind.CAPABILITY, "pay*", Band.HIGH),)),
        "risk.floors",
    ),
    **{
        f"capability {name}": (
            RiskTable(True, (Tool("t", name, ActionClass.READ),)),
            "risk.tools[t].capability",
        )
        for name in ("admission", "chat", "undeclared")
    },
    **{
        f"class {name}": (RiskTable(True, (Tool("t", "x", name),)), "risk.tools[t].actionClass")
        for name in (ActionClass.ANSWER, ActionClass.UNKNOWN)
    },
    **{
        f"{name} decided alone": (
            RiskTable(True, weights=(Weight(name, BAND_FROM[Band.MEDIUM] - 1),)),
            f"risk.weights[{name}].score",
        )
        for name in sorted(set(ActionClass) - HARMLESS)
    },
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_meant_is_refused(what: str) -> None:
    """With the field that is wrong."""
    table, field = WRONG[what]
    with pytest.raises(InvalidInput) as caught:
        check(table, "risk")
    assert caught.value.field == field


def test_every_class_has_a_weight_and_no_action_is_local() -> None:
    """By default only an answer without a call is decided by the sidecar alone."""
    assert set(WEIGHTS) == set(ActionClass)
    local = {name for name, score in WEIGHTS.items() if score < BAND_FROM[Band.MEDIUM]}
    assert local == {ActionClass.ANSWER}
