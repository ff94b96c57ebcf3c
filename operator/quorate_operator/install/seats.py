"""Who is to sit in a new committee, as the chart's values say: names, failure domains, judges."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from quorate.admission.injection import MEMBER_NAME
from quorate.canonical import parse_object
from quorate.consensus import judge_sets
from quorate.consensus.epoch import Seat
from quorate.consensus.spare import SPARES_MAX, Spare
from quorate.consensus.thresholds import MEMBERS_MAX, PRESETS, Thresholds
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX
from quorate.statements import Identifier, convert

VARIABLE = "QUORATE_COMMITTEE"
WHAT = "committee"


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One member that has no key yet."""

    name: Annotated[str, msgspec.Meta(pattern=f"^{MEMBER_NAME}$")]
    """A DNS label: it is part of the host where the member is reached."""
    judges: Identifier
    """Name of a set of judges that ships with this release."""
    failure_domain: Identifier

    def seat(self, key_pem: str) -> Seat:
        """Its seat, with the key that was made for it."""
        digest = judge_sets.digest_of_set(self.judges)
        return Seat(self.name, key_pem, self.failure_domain, digest)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    preset: str
    members: Annotated[tuple[Planned, ...], msgspec.Meta(min_length=1, max_length=MEMBERS_MAX)]
    spares: Annotated[tuple[Spare, ...], msgspec.Meta(max_length=SPARES_MAX)] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The members that the chart runs. A new committee begins with them, with these thresholds."""

    preset: str
    members: tuple[Planned, ...]
    thresholds: Thresholds
    spares: tuple[str, ...] = ()
    """Names of members that wait for a seat: keys are made for them as well."""

    def begins(self) -> None:
        """Raise InvalidInput unless a new committee may begin so: with the preset's members."""
        if len(self.members) != self.thresholds.n:
            raise InvalidInput(
                f"{len(self.members)} of them, and preset {self.preset} has {self.thresholds.n}",
                field=f"{WHAT}.members",
                fix="name all members of the preset, or none; records of the chain add others",
            )


def read_plan(environment: Mapping[str, str]) -> Plan:
    """``{"preset": NAME, "members": [{"name", "judges", "failureDomain"}, …], "spares": […]}``.

    Raises InvalidInput if it is not said, for a member that is named twice, and for judges that do
    not ship.
    """
    text = environment.get(VARIABLE, "")
    document: Any = parse_object(text.encode("utf-8"), bytes_max=GENESIS_BYTES_MAX, what=VARIABLE)
    found = convert(document, _Document, WHAT)
    thresholds = PRESETS.get(found.preset)
    if thresholds is None:
        known = ", ".join(PRESETS)
        raise InvalidInput(f"{found.preset[:40]} is none of {known}", field=f"{WHAT}.preset")
    names = [*(member.name for member in found.members), *(spare.name for spare in found.spares)]
    if len(set(names)) != len(names):
        raise InvalidInput("names a member twice", field=f"{WHAT}.members")
    for member in found.members:
        judge_sets.digest_of_set(member.judges)
    spares = tuple(spare.name for spare in found.spares)
    return Plan(found.preset, found.members, thresholds, spares)
