"""The signature predicate (v1.0): the files of a model."""

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate import limits
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence.intoto.statement import Statement, Text
from quorate.manifest import Manifest, manifest
from quorate.statements import convert

PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
GIT_PATHS: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What the reference library ignores unless told otherwise. Accepted in ``ignore_paths``, because
ignoring never excludes a file from measuring: one that is on disk and not listed fails."""


class _Serialization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: Literal["files"]
    hash_type: Literal["sha256"]
    allow_symlinks: bool
    ignore_paths: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1024)] = ()


class _Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    algorithm: Literal["sha256"]
    digest: str


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serialization: _Serialization
    resources: Annotated[
        tuple[_Resource, ...], msgspec.Meta(min_length=1, max_length=limits.BUNDLE_FILES)
    ]


def manifest_of(statement: Statement, ignore_allowed: tuple[str, ...] = GIT_PATHS) -> Manifest:
    """The manifest that a signature statement lists.

    ``ignore_allowed`` bounds what the signer may have left out. Raises InvalidInput if the
    statement is malformed or contradicts itself, SubjectMismatch if its subject is not the root
    over the files it lists.
    """
    raw = convert(statement.predicate, _Predicate, "signature predicate")
    if raw.serialization.allow_symlinks:
        raise InvalidInput("must be false", field="serialization.allow_symlinks")
    result = manifest((item.name, item.digest) for item in raw.resources)
    _check_ignored(raw.serialization.ignore_paths, ignore_allowed, result)
    _check_subject(statement, raw.resources)
    return result


def _check_ignored(ignored: tuple[str, ...], allowed: tuple[str, ...], files: Manifest) -> None:
    field = "serialization.ignore_paths"
    for path in ignored:
        if path not in allowed:
            raise InvalidInput(
                f"must not ignore {path[:80]}",
                field=field,
                fix="sign without ignored paths, writing the signature outside the model",
            )
        if any(name == path or name.startswith(f"{path}/") for name in files.files):
            raise InvalidInput(f"ignores {path[:80]}, which is also listed", field=field)


def _check_subject(statement: Statement, resources: tuple[Any, ...]) -> None:
    # The root is over the order as written; OMS sorts by path parts, other writers by string.
    root = hashlib.sha256()
    for item in resources:
        root.update(bytes.fromhex(item.digest))
    if len(statement.subject) != 1:
        raise InvalidInput("must be exactly one", field="subject")
    if statement.subject[0].digest != {"sha256": root.hexdigest()}:
        raise SubjectMismatch("must be the root digest of the listed files", field="subject")
