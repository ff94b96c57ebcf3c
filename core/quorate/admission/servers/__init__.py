"""What each model server loads, from where, and by which argument or variable: tables and engine.

One file a server (data, with its source), :mod:`~quorate.admission.servers.table` (what a table is
made of), :mod:`~quorate.admission.servers.union` (what holds where no policy names the server) and
:mod:`~quorate.admission.servers.judge` (the engine).
"""

from quorate.admission.servers import (
    kserve,
    llama_cpp,
    ollama,
    other,
    ray_serve,
    seldon,
    tgi,
    triton,
    vllm,
)
from quorate.admission.servers.table import Table
from quorate.admission.servers.union import union

NAMED: tuple[Table, ...] = (
    vllm.TABLE,
    tgi.TABLE,
    llama_cpp.TABLE,
    ollama.TABLE,
    triton.TABLE,
    kserve.TABLE,
    ray_serve.TABLE,
    seldon.TABLE,
)
UNION = union(NAMED)
TABLES: dict[str | None, Table] = {
    None: UNION,
    other.TABLE.kind: other.TABLE,
    **{table.kind: table for table in NAMED},
}
"""By ``kind`` of a policy's entry; None where none is set."""


def guess(image: str) -> str:
    """The kind that an image's name speaks of, for messages; empty if none or several do."""
    repository = image.partition("@")[0].lower()
    found = [table.kind for table in NAMED if any(part in repository for part in table.images)]
    return found[0] if len(found) == 1 else ""
