"""``committee policies``: propose that the ClusterSafetyPolicies of now are in force."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import yaml

from quorate import limits
from quorate.consensus import successors
from quorate.errors import InvalidInput
from quorate.policy import in_force
from quorate_cli.cluster import connection
from quorate_cli.cluster.kinds import CLUSTER_SAFETY_POLICY, Document
from quorate_cli.command import Command, Result
from quorate_cli.committee import drafting
from quorate_cli.files import read_file
from quorate_cli.policies import compile_all
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="all ClusterSafetyPolicies, as YAML; repeatable (default: those of the cluster)",
    )
    drafting.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    head = drafting.head(arguments)
    compiled, broken = compile_all(_documents(arguments))
    if broken:
        raise InvalidInput(broken[0].message, field=broken[0].ref)
    record = successors.policies(head, arguments.reason, in_force.digest(compiled))
    found = drafting.finish(arguments, head, record)
    policies = [f"{policy.ref.name} {policy.digest}" for policy in compiled if policy.is_cluster]
    lines = [*found.lines, "of:", *(f"  {policy}" for policy in policies or ["no policy"])]
    return Result(lines, found.document | {"policies": policies})


def _documents(arguments: Namespace) -> list[Document]:
    if not arguments.file:
        reader = connection.connect(arguments).reader
        return list(reader.each(CLUSTER_SAFETY_POLICY))
    return [document for path in arguments.file for document in _read(path)]


def _read(path: Path) -> list[Document]:
    try:
        found: list[Any] = list(yaml.safe_load_all(read_file(path, limits.OBJECT_BYTES).decode()))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"is not YAML: {error}", field=str(path)) from None
    kept = [one for one in found if one is not None]
    for one in kept:
        named = isinstance(one, dict) and isinstance(one.get("metadata"), dict)
        if not named or one.get("kind") != "ClusterSafetyPolicy" or "name" not in one["metadata"]:
            raise InvalidInput("must hold ClusterSafetyPolicies only", field=str(path))
    return kept


COMMAND = Command(
    words=("committee", "policies"),
    summary="propose that the ClusterSafetyPolicies of now are in force",
    description=(
        "Propose the digest of all ClusterSafetyPolicies, compiled: a Policies record. A member\n"
        "signs it only if it was told of exactly these, so apply them first. With files, it is\n"
        "what administrators read that they sign, and not what the cluster says."
    ),
    examples=(
        "committee policies --file floor.yaml --reason 'gates for tools' --chain chain.json \\\n"
        "    --key admin.key --out policies.json",
    ),
    notes=drafting.NOTES,
    arguments=_arguments,
    run=_run,
)
