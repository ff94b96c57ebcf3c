"""The administrators of a new committee, as the chart's values name them."""

from collections.abc import Mapping

from quorate.canonical import parse_object
from quorate.consensus.epoch import Admins
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, NO_ADMINS
from quorate.keys import load_public_key
from quorate.statements import convert

VARIABLE = "QUORATE_ADMINS"


def read_admins(environment: Mapping[str, str]) -> Admins:
    """``{"keys": [PEM, …], "needed": NUMBER}``; nobody if it is not said.

    Raises InvalidInput for a key that does not count, or more needed than there are.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return NO_ADMINS
    what = "committee.admins"
    document = parse_object(text.encode("utf-8"), bytes_max=GENESIS_BYTES_MAX, what=what)
    admins = convert(document, Admins, what)
    for key in admins.keys:
        load_public_key(key)
    if admins.keys and admins.needed > len(admins.keys):
        raise InvalidInput(f"more than the {len(admins.keys)} keys", field=f"{what}.needed")
    return admins
