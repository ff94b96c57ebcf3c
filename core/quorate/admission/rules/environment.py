"""No variable by which a loader or an interpreter runs code that was not measured."""

from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

LOADERS = (
    "BASH_FUNC_",
    "CUDA_INJECTION",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "JAVA_",
    "JDK_JAVA_OPTIONS",
    "LD_",
    "NODE_",
    "OPENSSL_",
    "PERL",
    "PYTHON",
    "RUBY",
    "_JAVA_OPTIONS",
)
"""Prefixes."""
EXACT = frozenset({"BASH_ENV", "CLASSPATH", "ENV", "IFS", "PATH", "PROMPT_COMMAND", "SHELLOPTS"})
HARMLESS = frozenset(
    {
        "NODE_ENV",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED",
        "PYTHONIOENCODING",
        "PYTHONUNBUFFERED",
        "PYTHONUTF8",
    }
)
"""Common, and without a way to name a file or a module."""


def environment(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Every variable is named in the pod, and none of them loads code."""
    for path, container in subject.users:
        yield from _container(path, container)


def _container(path: str, container: dict[str, Any]) -> Iterator[Denial]:
    if container.get("envFrom"):
        yield _refused(f"{path}.envFrom must not be set", "name each variable in env")
    for variable in container.get("env") or ():
        name = str(variable.get("name", ""))
        if name in EXACT or (name.startswith(LOADERS) and name not in HARMLESS):
            yield _refused(
                f"{path} must not set {name}: it can run code that was not measured",
                "build it into the server's image",
            )


def _refused(message: str, fix: str) -> Denial:
    return Denial(Reason.SERVER_NOT_ALLOWED, message, requirement="model.servers", fix=fix)
