"""What a policy says about risk and votes, as the sidecar and the committee go by it."""

from typing import Final

from quorate.api.v1alpha1.risk_requirements import RiskRequirements, VotingRequirements
from quorate.api.v1alpha1.signers import Approvers as NamedApprovers
from quorate.consensus.hold import people
from quorate.consensus.request import Band
from quorate.errors import InvalidInput
from quorate.risk.route import Approvers, Voting
from quorate.risk.rules import ActionClass, Floor, FloorKind, RiskTable, Tool, Weight, check

_VETO: Final = "any"


def risk_table(said: RiskRequirements | None, where: str, *, platform: bool) -> RiskTable | None:
    """The table of one policy. Raises InvalidInput naming the field below ``where``."""
    if said is None:
        return None
    table = RiskTable(
        platform=platform,
        tools=tuple(
            Tool(one.name, one.capability, ActionClass(one.action_class), one.irreversible)
            for one in said.tools
        ),
        floors=tuple(Floor(FloorKind(one.kind), one.name, Band(one.band)) for one in said.floors),
        weights=tuple(Weight(ActionClass(one.action_class), one.score) for one in said.weights),
    )
    check(table, where)
    return table


def voting(
    said: VotingRequirements | None, holds: NamedApprovers | None, where: str
) -> Voting | None:
    """How one policy has the committee asked. Raises InvalidInput naming the field in ``where``."""
    if said is None and holds is None:
        return None
    said = said or VotingRequirements()
    approvers: tuple[Approvers, ...] = ()
    if holds is not None:
        keys = tuple(named.public_key for named in holds.keys)
        try:
            people(keys, holds.threshold)
        except InvalidInput as error:
            raise InvalidInput(error.message, field=f"{where}.holds") from None
        approvers = (Approvers(holds.threshold, keys),)
    return Voting(
        fast_ms=said.fast_milliseconds,
        strict_ms=said.strict_milliseconds,
        veto=said.veto == _VETO,
        hold_seconds=said.hold_seconds,
        approvers=approvers,
    )
