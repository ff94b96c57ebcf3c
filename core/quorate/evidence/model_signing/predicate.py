"""The signature predicate (v1.0): the files of a model."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate import limits, names
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence.intoto.statement import STATEMENT_TYPE, Statement, Subject, Text
from quorate.manifest import Manifest, manifest
from quorate.statements import convert

PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
GIT_PATHS: Final = names.GIT_PATHS
"""Accepted in ``ignore_paths`` as a rule, because ignoring never excludes a file from measuring:
one that is on disk and not listed fails."""


class _Serialization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: Literal["files", "shards"]
    hash_type: Literal["sha256"]
    allow_symlinks: bool
    shard_size: int | None = None
    ignore_paths: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1024)] = ()


class _Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    algorithm: Literal["sha256"]
    digest: str


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serialization: _Serialization
    resources: Annotated[
        tuple[_Resource, ...], msgspec.Meta(min_length=1, max_length=limits.BUNDLE_SHARDS)
    ]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a signer may have left out or done otherwise, as a policy allows it.

    ``shard_sizes`` in bytes; empty: files must be hashed whole.
    """

    ignore_paths: tuple[str, ...] = GIT_PATHS
    shard_sizes: tuple[int, ...] = ()


def manifest_of(statement: Statement, accepted: Accepted | None = None) -> Manifest:
    """The manifest that a signature statement lists.

    Without ``accepted`` the statement is taken as it is, to say what it is about. Raises
    InvalidInput if it is malformed, contradicts itself or is not acceptable, SubjectMismatch if its
    subject is not the root over the files it lists.
    """
    raw = convert(statement.predicate, _Predicate, "signature predicate")
    form = raw.serialization
    if form.allow_symlinks:
        raise InvalidInput("must be false", field="serialization.allow_symlinks")
    if (form.method == "shards") != (form.shard_size is not None):
        raise InvalidInput("must be set with method shards only", field="serialization.shard_size")
    result = manifest(((item.name, item.digest) for item in raw.resources), form.shard_size)
    if accepted is not None:
        _check_shards(form.shard_size, accepted.shard_sizes)
        _check_ignored(form.ignore_paths, accepted.ignore_paths, result)
    _check_subject(statement, raw.resources)
    return result


def statement_of(files: Manifest, name: str) -> Statement:
    """The statement to sign over ``files`` for a model called ``name``. Nothing is ignored."""
    form: dict[str, Any] = {"method": files.method, "hash_type": "sha256"}
    if files.shard_size is not None:
        form["shard_size"] = files.shard_size
    return Statement(
        type_=STATEMENT_TYPE,
        subject=(Subject(name, {"sha256": files.oms_root}),),
        predicate_type=PREDICATE_TYPE,
        predicate={
            "serialization": {**form, "allow_symlinks": False},
            "resources": [
                {"name": item, "algorithm": "sha256", "digest": files.files[item]}
                for item in files.oms_order
            ],
        },
    )


def _check_shards(size: int | None, accepted: tuple[int, ...]) -> None:
    if size is not None and size not in accepted:
        allowed = ", ".join(map(str, accepted)) or "none"
        raise InvalidInput(
            f"shards of {size} bytes are not accepted (accepted: {allowed})",
            field="serialization.shard_size",
            fix="sign whole files, or with a size of the policy's model.shardSizes",
        )


def _check_ignored(ignored: tuple[str, ...], allowed: tuple[str, ...], files: Manifest) -> None:
    field = "serialization.ignore_paths"
    for path in ignored:
        if path not in allowed:
            raise InvalidInput(
                f"must not ignore {path[:80]}",
                field=field,
                fix="sign without ignored paths, writing the signature outside the model",
            )
        if any(name == path or name.startswith((f"{path}/", f"{path}:")) for name in files.files):
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
