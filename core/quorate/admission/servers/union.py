"""What holds where no policy says which server an image is: every table at once, the stricter wins.

An option must be harmless to every server that knows it, and must not be short for another
server's dangerous one. That some place is named must be said by an argument: a variable that the
server does not read changes nothing, while an option it does not know ends it.
"""

from collections.abc import Mapping

from quorate.admission.servers.table import Option, Table, binds, merged, stricter


def union(tables: tuple[Table, ...]) -> Table:
    """The strictest reading of all tables."""
    options = merged(table.options for table in tables)
    return Table(
        kind="",
        title="No kind set",
        sources=(),
        images=(),
        options={name: _as_abbreviation(name, option, tables) for name, option in options.items()},
        variables=merged([*(table.variables for table in tables), binds("HOST")]),
        families=tuple(sorted({family for table in tables for family in table.families})),
        commands=frozenset({"serve"}),
        takes_place=True,
        says=frozenset(name for table in tables for name in table.says if name.startswith("-")),
        notes="Every table at once; the stricter meaning of a name counts.",
    )


def _as_abbreviation(name: str, option: Option, tables: tuple[Table, ...]) -> Option:
    """The option, or the stricter one that some server would take it for."""
    for table in tables:
        longer = _only_longer(name, table.options)
        if longer is not None:
            option = stricter(option, longer)
    return option


def _only_longer(name: str, options: Mapping[str, Option]) -> Option | None:
    """The one option ``name`` is short for; parsers refuse what may be short for two."""
    if name in options or not name.startswith("--"):
        return None
    found = [option for known, option in options.items() if known.startswith(name)]
    return found[0] if len(found) == 1 else None
