"""No variable by which a loader or an interpreter runs code that was not measured."""

import re
from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.policy.intersect import TENANTS
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
EXACT = frozenset(
    {
        *("BASH_ENV", "CLASSPATH", "ENV", "IFS", "PATH", "PROMPT_COMMAND", "SHELLOPTS"),
        # Servers compile kernels while they serve, with what these name: a command line.
        *("AR", "CC", "CFLAGS", "CPP", "CPPFLAGS", "CUDACXX", "CXX", "CXXFLAGS", "LDFLAGS"),
        *("LDSHARED", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH"),
        *("COMPILER_PATH", "GCC_EXEC_PREFIX", "CUDA_HOME", "CUDA_PATH", "FLASHINFER_NVCC"),
        *("NVCC", "NVCC_APPEND_FLAGS", "NVCC_PREPEND_FLAGS", "PYTORCH_NVCC"),
        *("TRITON_PTXAS_PATH", "TRITON_LIBCUDA_PATH", "TRITON_CUDACRT_PATH"),
        # Libraries that others load by path.
        *("GGML_BACKEND_PATH", "HSA_TOOLS_LIB", "OMP_TOOL_LIBRARIES", "VK_ICD_FILENAMES"),
    }
)
_PLACES = re.compile(r"HOME\Z|XDG_|.*_(CACHE|HOME|ROOT|WORKSPACE)")
"""Where programs look for modules of a user's, and for what they compiled before."""
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
    written = {
        str(volume.get("name")) for volume in subject.volumes if not TENANTS.isdisjoint(volume)
    }
    for path, container in subject.users:
        mounted = {str(mount.get("name")) for mount in container.get("volumeMounts") or ()}
        yield from _container(path, container, beside=not written.isdisjoint(mounted))


def _container(path: str, container: dict[str, Any], *, beside: bool) -> Iterator[Denial]:
    """``beside``: it mounts files that a tenant writes."""
    if container.get("envFrom"):
        yield _refused(f"{path}.envFrom must not be set", "name each variable in env")
    for variable in container.get("env") or ():
        name = str(variable.get("name", ""))
        if name in EXACT or (name.startswith(LOADERS) and name not in HARMLESS):
            yield _refused(
                f"{path} must not set {name}: it can run code that was not measured",
                "build it into the server's image",
            )
        elif beside and _PLACES.match(name):
            yield _refused(
                f"{path} must not set {name} beside a volume whose files are a tenant's: programs "
                "load modules and compiled code from there",
                "leave it out, or do without the volume",
            )


def _refused(message: str, fix: str) -> Denial:
    return Denial(Reason.SERVER_NOT_ALLOWED, message, requirement="model.servers", fix=fix)
