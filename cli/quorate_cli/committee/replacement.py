"""The record that is prepared for a member under quarantine: read where it lies, and checked.

Whoever wrote it there is not believed. It must follow the epoch that the members prove and change
nothing but who has that one seat; and the spare itself must hold the key that it names.
"""

import asyncio
from argparse import Namespace
from typing import Any

from quorate.api.v1alpha1.safety_committee import OBJECT
from quorate.consensus import draft as drafts
from quorate.consensus import epoch as epochs
from quorate.consensus import spare as spares
from quorate.consensus.draft import Draft
from quorate.consensus.epoch import EpochRecord, material_of
from quorate.consensus.spare import Replacement
from quorate.errors import SubjectMismatch, Unavailable
from quorate_cli.cluster.kinds import SAFETY_COMMITTEE
from quorate_cli.cluster.reader import Reader
from quorate_cli.committee import whereabouts
from quorate_cli.committee.survey import opened
from quorate_io.clock import SystemClock
from quorate_io.stranger import identity_key


def read(reader: Reader) -> EpochRecord:
    """What the operator prepared. Raises Unavailable if that is nothing, with the reason that it
    gives; InvalidInput if it is no record."""
    document = reader.get(SAFETY_COMMITTEE, OBJECT) or {}
    status: dict[str, Any] = document.get("status") or {}
    text = (status.get("replacement") or {}).get("record")
    if not isinstance(text, str):
        conditions = {one.get("type"): one for one in status.get("conditions") or []}
        said = (conditions.get("AwaitsAcknowledgement") or {}).get("message", "")
        raise Unavailable(
            f"no replacement is prepared{f': {said}' if said else ''}",
            fix="quorate committee status; quorate committee replace makes one by hand",
        )
    return epochs.parse(text.encode("utf-8"))


def checked(record: EpochRecord, arguments: Namespace) -> tuple[Draft, Replacement]:
    """The proposal that ``record`` makes, and what it does.

    Raises as :func:`quorate.consensus.spare.check`, SubjectMismatch if the spare holds another key,
    Unavailable if neither members nor the spare answer.
    """
    return asyncio.run(_checked(record, arguments))


async def _checked(record: EpochRecord, arguments: Namespace) -> tuple[Draft, Replacement]:
    async with opened(arguments) as members:
        survey = await members.survey()
    found = spares.check(survey.history, record)
    name, number = found.joins.name, survey.head.record.number
    genesis = survey.chain.genesis.digest_text
    with whereabouts.of_spare(arguments, name) as (url, forwarded):
        key = await identity_key(url, genesis, number, SystemClock(), forwarded=forwarded)
    if material_of(key) != material_of(found.joins.key):
        raise SubjectMismatch(
            f"the record names key {material_of(found.joins.key)} for {name}, and {name} itself "
            f"holds {material_of(key)}",
            fix="sign nothing: find out who wrote the record, or wait until it is made anew",
        )
    return drafts.begin(survey.head, record), found
