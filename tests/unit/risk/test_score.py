"""Scores and bands: signals add, floors raise, and what nobody declared is high."""

import pytest

from quorate.consensus.request import Band, band_of
from quorate.limits import KIB
from quorate.risk.rules import (
    WEIGHTS,
    ActionClass,
    Floor,
    FloorKind,
    RiskTable,
    Tool,
    Weight,
)
from quorate.risk.score import FOUND, FOUND_OTHER, Signals, assess, highest
from quorate_sidecar.checks import REGISTRY
from quorate_training.judges.asks import RISKS

MAIL = Tool("send_mail", "mail", ActionClass.SEND)
DATABASE = Tool("db_*", "database", ActionClass.WRITE)
LOOKUP = Tool("db_lookup", "database", ActionClass.READ)
PLATFORM = RiskTable(True, (MAIL, DATABASE, LOOKUP))


def scored(tool: str, *tables: RiskTable, **signals: object) -> int:
    """The score of an action."""
    return assess(Signals(tool, **signals), tables).risk.score  # type: ignore[arg-type]


def band(tool: str, *tables: RiskTable) -> Band:
    """The band of an action."""
    return assess(Signals(tool), tables).risk.band


@pytest.mark.requirement("run-time votes: bands local < 0.3, medium < 0.7, high")
@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0, Band.LOCAL),
        (299, Band.LOCAL),
        (300, Band.MEDIUM),
        (699, Band.MEDIUM),
        (700, Band.HIGH),
        (1000, Band.HIGH),
    ],
)
def test_bands_by_score(score: int, expected: Band) -> None:
    """At each edge. No score alone is critical."""
    assert band_of(score) is expected


def test_bands_have_an_order() -> None:
    """Whatever the order they come in."""
    assert highest(Band.HIGH, Band.LOCAL) is Band.HIGH
    assert highest(Band.MEDIUM, Band.CRITICAL, Band.HIGH) is Band.CRITICAL


def test_a_plain_answer_is_local_and_a_strange_tool_high() -> None:
    """Without any policy: an answer is the sidecar's to decide, and no tool is."""
    answer = assess(Signals(""), ())
    assert (answer.capability, answer.action_class, answer.risk.band) == (
        "chat",
        ActionClass.ANSWER,
        Band.LOCAL,
    )
    tool = assess(Signals("read_file"), ())
    assert (tool.capability, tool.action_class, tool.risk.band) == (
        "undeclared",
        ActionClass.UNKNOWN,
        Band.HIGH,
    )
    assert assess(Signals("", outside=True, long=True), ()).risk.band is Band.LOCAL


def test_declared_tools_have_their_class() -> None:
    """By name, or by the longest beginning; a whole name before a beginning."""
    found = assess(Signals("send_mail"), (PLATFORM,))
    assert (found.capability, found.action_class) == ("mail", ActionClass.SEND)
    assert assess(Signals("db_drop"), (PLATFORM,)).action_class is ActionClass.WRITE
    assert assess(Signals("db_lookup"), (PLATFORM,)).action_class is ActionClass.READ
    exact = RiskTable(
        True, (Tool("db_x*", "a", ActionClass.READ), Tool("db_x", "b", ActionClass.PAY))
    )
    assert assess(Signals("db_x"), (exact,)).action_class is ActionClass.PAY


@pytest.mark.parametrize(
    "spelling", ["Send_mail", "send_mail ", "s\u0435nd_mail", "send-mail", "db"]
)
def test_another_spelling_is_another_tool(spelling: str) -> None:
    """A declaration makes things milder, so it is for exactly what it names."""
    assert assess(Signals(spelling), (PLATFORM,)).action_class is ActionClass.UNKNOWN


def test_tenants_declare_nothing_milder() -> None:
    """A tool that only a tenant declares stays unknown, or becomes what is stricter; a tenant's
    weight counts only above the default; the platform's declaration cannot be undercut."""
    mild = RiskTable(False, (Tool("shell", "notes", ActionClass.READ),))
    assert assess(Signals("shell"), (mild,)).action_class is ActionClass.UNKNOWN
    strict = RiskTable(False, (Tool("shell", "notes", ActionClass.PAY),))
    assert assess(Signals("shell"), (strict,)).action_class is ActionClass.PAY
    weights = RiskTable(False, weights=(Weight(ActionClass.ANSWER, 0),))
    assert scored("", weights) == WEIGHTS[ActionClass.ANSWER]
    undercut = RiskTable(False, (Tool("send_mail", "notes", ActionClass.READ),))
    found = assess(Signals("send_mail"), (PLATFORM, undercut))
    assert (found.capability, found.action_class) == ("mail", ActionClass.SEND)


def test_tenants_declare_nothing_out_of_a_floor_or_a_freeze() -> None:
    """What the platform does not declare stays undeclared, whatever a tenant calls it; what it does
    declare keeps the platform's capability. The tenant's own counts as well."""
    own = RiskTable(False, (Tool("shell", "notes", ActionClass.PAY),))
    floor = RiskTable(True, floors=(Floor(FloorKind.CAPABILITY, "undeclared", Band.CRITICAL),))
    found = assess(Signals("shell"), (own, floor))
    assert (found.capability, found.risk.band) == ("undeclared", Band.CRITICAL)
    assert found.capabilities == {"undeclared", "notes"}
    strict = RiskTable(False, (Tool("send_mail", "notes", ActionClass.PAY),))
    found = assess(Signals("send_mail"), (PLATFORM, strict))
    assert (found.capability, found.action_class) == ("mail", ActionClass.PAY)
    assert found.capabilities == {"mail", "notes"}


def test_the_platform_weighs_classes() -> None:
    """One ClusterSafetyPolicy lowers a weight; of two that say one, the higher counts."""
    low = RiskTable(True, (LOOKUP,), weights=(Weight(ActionClass.READ, 200),))
    high = RiskTable(True, weights=(Weight(ActionClass.READ, 500),))
    assert band("db_lookup", low) is Band.LOCAL
    assert scored("db_lookup", low, high) == scored("db_lookup", high, low) == 500


def test_of_two_classes_with_one_weight_the_name_decides() -> None:
    """So that every sidecar asks the same, whatever order it looks in."""
    same = RiskTable(
        True,
        (Tool("t", "a", ActionClass.SEND),),
        weights=tuple(Weight(name, 500) for name in (ActionClass.SEND, ActionClass.DELETE)),
    )
    other = RiskTable(True, (Tool("t", "a", ActionClass.DELETE),))
    for tables in ((same, other), (other, same)):
        assert assess(Signals("t"), tables).action_class is ActionClass.SEND


@pytest.mark.requirement("risk.floor per capability, tool and action class raises the band")
@pytest.mark.parametrize(
    "floor",
    [
        Floor(FloorKind.TOOL, "db_lookup", Band.CRITICAL),
        Floor(FloorKind.TOOL, "DB_*", Band.CRITICAL),
        Floor(FloorKind.CAPABILITY, "database", Band.CRITICAL),
        Floor(FloorKind.ACTION_CLASS, "read", Band.CRITICAL),
    ],
)
@pytest.mark.parametrize("platform", [True, False])
def test_floors_raise_whatever_the_score(floor: Floor, platform: bool) -> None:
    """Of any policy, whichever way it names the action, however the name is spelled. The score
    stays what it is."""
    tables = (PLATFORM, RiskTable(platform, floors=(floor,)))
    found = assess(Signals("db_lookup"), tables)
    assert found.risk.band is Band.CRITICAL
    assert found.risk.score == WEIGHTS[ActionClass.READ]
    assert found.reasons[0] == f"floor of {floor.kind} {floor.name}"
    assert band("send_mail", *tables) is Band.MEDIUM


def test_a_floor_covers_other_spellings_of_its_tool() -> None:
    """The model cannot leave a floor by a capital letter."""
    floor = RiskTable(True, floors=(Floor(FloorKind.TOOL, "transfer", Band.CRITICAL),))
    assert band("TransFer", floor) is Band.CRITICAL


def test_the_highest_floor_counts() -> None:
    """Of several policies, in any order; a floor below the score changes nothing."""
    low, high = (
        RiskTable(True, floors=(Floor(FloorKind.CAPABILITY, "mail", one),))
        for one in (Band.LOCAL, Band.HIGH)
    )
    assert band("send_mail", PLATFORM, low, high) is Band.HIGH
    assert band("send_mail", PLATFORM, high, low) is Band.HIGH
    assert band("send_mail", PLATFORM, low) is Band.MEDIUM


def test_a_floor_for_answers_and_for_what_nobody_declared() -> None:
    """Both have a capability and a class to name them by."""
    chat = RiskTable(True, floors=(Floor(FloorKind.CAPABILITY, "chat", Band.MEDIUM),))
    assert band("", chat) is Band.MEDIUM
    unknown = RiskTable(True, floors=(Floor(FloorKind.ACTION_CLASS, "unknown", Band.CRITICAL),))
    assert band("anything", unknown) is Band.CRITICAL
    undeclared = Floor(FloorKind.CAPABILITY, "undeclared", Band.CRITICAL)
    assert band("anything", RiskTable(False, floors=(undeclared,))) is Band.CRITICAL


SIGNALS: dict[str, dict[str, object]] = {
    "large": {"argument_bytes": 4 * KIB + 1},
    "huge": {"argument_bytes": 16 * KIB + 1},
    "outside": {"outside": True},
    "long": {"long": True},
    "secrets": {"found": frozenset({"secrets"})},
    "pii": {"found": frozenset({"pii"})},
    "a check of tomorrow": {"found": frozenset({"tomorrow"})},
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_adds(signal: str) -> None:
    """Alone, to the weight of its class; a check without a number of its own adds the most."""
    assert scored("send_mail", PLATFORM, **SIGNALS[signal]) > scored("send_mail", PLATFORM)


def test_what_cannot_be_undone_adds() -> None:
    """By any policy's declaration."""
    final = RiskTable(False, (Tool("send_mail", "mail", ActionClass.SEND, irreversible=True),))
    assert scored("send_mail", PLATFORM, final) == scored("send_mail", PLATFORM) + 150
    assert band("send_mail", PLATFORM, final) is Band.HIGH


def test_scores_end_at_one_thousand() -> None:
    """Whatever comes together."""
    everything = frozenset(("secrets", "pii", "x", "y"))
    assert scored("pay", argument_bytes=10**6, outside=True, long=True, found=everything) == 1000


def test_content_checks_have_their_numbers() -> None:
    """Every check of the sidecar."""
    assert set(FOUND) == set(REGISTRY)
    assert max(FOUND.values()) <= FOUND_OTHER


def test_the_baseline_was_made_for_these_scores() -> None:
    """What the anomaly judge takes for usual is what askers say of declared tools."""
    tools = {name: score for name, score in RISKS.items() if name != "answer"}
    assert tools == {name: WEIGHTS[ActionClass(name)] for name in tools}


def test_reasons_are_strongest_first() -> None:
    """For whoever asks why."""
    signals = Signals("send_mail", outside=True, found=frozenset({"secrets"}))
    assert assess(signals, (PLATFORM,)).reasons == (
        "class send",
        "check secrets",
        "results of tools",
    )
