"""A SafetyException in a file: written by one person, approved by others, then applied."""

from pathlib import Path
from typing import Any

import yaml

from quorate import limits, names
from quorate.api.v1alpha1 import SafetyException
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_exception import SafetyExceptionSpec
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Approval
from quorate.evidence.intoto.timestamps import format_utc
from quorate.policy.exceptions import read_approval
from quorate_cli.files import read_file, write_file


def load(path: Path) -> SafetyException:
    """The exception in a YAML or JSON file. Raises InvalidInput naming the file."""
    try:
        document = yaml.safe_load(read_file(path, limits.OBJECT_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"is not YAML: {error}", field=str(path)) from None
    try:
        return read(SafetyException, document)
    except InvalidInput as error:
        raise InvalidInput(f"{error.field}: {error.message}", field=str(path)) from None


def save(path: Path, name: str, spec: SafetyExceptionSpec) -> None:
    """Write the exception, ready to apply."""
    document = {
        "apiVersion": names.API_VERSION,
        "kind": SafetyException.kind_name,
        "metadata": {"name": name, "namespace": names.NAMESPACE},
        "spec": spec.model_dump(mode="json", by_alias=True),
    }
    text = yaml.safe_dump(document, sort_keys=False, width=2**31)
    write_file(path, text.encode("utf-8"))


def approval_in(spec: SafetyExceptionSpec) -> tuple[dsse.Envelope, Approval] | None:
    """The approval and its envelope, unverified; None if nobody has signed. Raises QuorateError
    if it is not of these very terms."""
    if not spec.approval:
        return None
    envelope = dsse.parse(spec.approval.encode("utf-8"))
    return envelope, read_approval(spec, envelope.payload)


def described(exception: SafetyException) -> tuple[list[str], dict[str, Any]]:
    """Everything it says, for people and for programs."""
    spec, found = exception.spec, approval_in(exception.spec)
    envelope, approval = found if found else (None, None)
    keys = [signature.keyid for signature in envelope.signatures] if envelope else []
    end = format_utc(approval.expires_at) if approval else ""
    workload = spec.workload
    lines = [
        f"exception:       {exception.metadata.name}",
        f"lifts:           {spec.requirement} of ClusterSafetyPolicy/{spec.policy}",
        f"for:             {workload.namespace}/{workload.model}, {workload.manifest_digest}",
        f"in cluster:      {spec.cluster}",
        f"reason:          {spec.reason}",
        f"signed by:       {', '.join(keys) or 'nobody yet'}",
        f"counts until:    {end or 'not decided'}",
    ]
    document = {
        "name": exception.metadata.name,
        "requirement": spec.requirement,
        "policy": spec.policy,
        "workload": workload.model_dump(mode="json", by_alias=True),
        "cluster": spec.cluster,
        "reason": spec.reason,
        "signers": keys,
        "expiresAt": end,
    }
    return lines, document
