"""A type that several threads read by for the first time, at once."""

import subprocess
import sys

import pytest

PROGRAM = '''
import sys, threading, types
from quorate import statements

SOURCE = """
from __future__ import annotations
from typing import Annotated
import msgspec

class Inner(msgspec.Struct, frozen=True):
    word: Annotated[str, msgspec.Meta(pattern="^a{number}$")]
    count: Annotated[int, msgspec.Meta(ge=0)] | None = None

class Outer(msgspec.Struct, frozen=True):
    inner: tuple[Inner, ...]
    text: Annotated[str, msgspec.Meta(max_length={number})] = ""
"""

def fresh(number):
    name = f"fresh{number}"
    module = sys.modules[name] = types.ModuleType(name)
    exec(SOURCE.replace("{number}", str(number)), module.__dict__)
    return module.Outer

sys.setswitchinterval(1e-6)
for number in range(100):
    kind, together, read = fresh(number), threading.Barrier(3), []
    def work():
        together.wait()
        read.append(statements.convert({"inner": [{"word": f"a{number}"}]}, kind, "it"))
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 3 and len(set(read)) == 1, read
print("all read")
'''


@pytest.mark.requirement("committee: no message ends a member")
def test_threads_may_meet_a_type_at_the_same_time() -> None:
    """Members judge on threads, so the first two asks may; the process goes on, and all read the
    same. In a process of its own: what is prevented is not an exception."""
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "all read\n"), ended.stderr
