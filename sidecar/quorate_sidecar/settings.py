"""What the command line and the downward API say. Checked once, at start."""

import argparse
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quorate import names
from quorate.admission.quantity import whole_bytes
from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate_sidecar.audit_writer import LOG_BYTES

TERMINATION_LOG = Path("/dev/termination-log")
HEALTH_PORT = 9902
ADMIN_SOCKET = "sidecar.sock"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """Who this pod is, by the downward API."""

    name: str
    namespace: str
    uid: str
    model: str
    ips: tuple[str, ...]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "PodFacts":
        """Read QUORATE_POD_* and QUORATE_MODEL. Raises InvalidInput."""
        values = [
            _name(environment, f"QUORATE_{name}")
            for name in ("POD_NAME", "POD_NAMESPACE", "POD_UID", "MODEL")
        ]
        name, namespace, uid, model = values
        return cls(name, namespace, uid, model, _addresses(environment.get("QUORATE_POD_IPS", "")))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a command needs to know."""

    pod: PodFacts
    genesis_digest: str
    member_url: str
    """Where members are; ``{member}`` in its host stands for a name."""
    members: tuple[str, ...]
    """Names of members to begin with; the chain says who they are later."""
    token_file: Path
    model_path: Path
    work_path: Path
    audit_path: Path
    audit_bytes: int
    audit_claim: str
    """The claim that the log is on; empty for a volume of the pod's own."""
    deck_path: Path
    """The deck of canaries, in a pod that has a volume for one."""
    termination_log: Path
    proc_net: Path
    health_port: int
    wait_seconds: float
    drain_seconds: float
    workers: int

    @classmethod
    def from_arguments(
        cls, arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ
    ) -> "Settings":
        """Check and combine. Raises InvalidInput."""
        work = Path(arguments.work)
        return cls(
            pod=PodFacts.from_environment(environment),
            genesis_digest=check_digest(arguments.genesis_digest, "--genesis-digest"),
            member_url=arguments.member_url,
            members=tuple(arguments.member),
            token_file=Path(arguments.token_file),
            model_path=Path(arguments.model_path),
            work_path=work,
            audit_path=Path(arguments.audit) if arguments.audit else work / "audit",
            audit_bytes=whole_bytes(arguments.audit_size, "--audit-size"),
            audit_claim=arguments.audit_claim,
            deck_path=Path(arguments.deck),
            termination_log=Path(arguments.termination_log),
            proc_net=Path(arguments.proc_net),
            health_port=arguments.health_port,
            wait_seconds=arguments.wait_seconds,
            drain_seconds=arguments.drain_seconds,
            workers=arguments.workers,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that ``measure`` and ``serve`` share. The injected ones are constants."""
    parser.add_argument("--genesis-digest", required=True, help="sha256:… of the pinned genesis")
    parser.add_argument(
        "--member-url", required=True, help="https://HOST:PORT, with {member} in HOST for a name"
    )
    parser.add_argument(
        "--member", action="append", default=[], help="name of a member; may be repeated"
    )
    parser.add_argument("--token-file", default=f"{names.TOKEN_PATH}/token")
    parser.add_argument("--model-path", default=names.MODEL_PATH)
    parser.add_argument("--work", default=names.WORK_PATH)
    parser.add_argument("--audit", default="", help="audit directory (default: WORK/audit)")
    parser.add_argument(
        "--audit-size", default=f"{LOG_BYTES}", help="of all audit files, such as 128Mi"
    )
    parser.add_argument("--audit-claim", default="", help="the claim that the audit directory is")
    parser.add_argument(
        "--deck",
        default=f"{names.CANARY_PATH}/{names.DECK_KEY}",
        help="deck of canaries to ask; none where its directory is not there",
    )
    parser.add_argument("--termination-log", default=str(TERMINATION_LOG))
    parser.add_argument("--proc-net", default="/proc/net", help="where the socket tables are")
    parser.add_argument("--health-port", type=int, default=HEALTH_PORT)
    parser.add_argument(
        "--wait-seconds", type=float, default=120.0, help="for the first signed state"
    )
    parser.add_argument("--drain-seconds", type=float, default=25.0, help="for streams, at the end")
    parser.add_argument("--workers", type=int, default=4, help="threads that hash the model")


def _name(environment: Mapping[str, str], variable: str) -> str:
    value = environment.get(variable, "")
    if not _NAME.match(value):
        raise InvalidInput("must be a Kubernetes name", field=variable)
    return value


def _addresses(text: str) -> tuple[str, ...]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise InvalidInput("must list the pod's addresses", field="QUORATE_POD_IPS")
    try:
        return tuple(str(ipaddress.ip_address(part)) for part in found)
    except ValueError as error:
        raise InvalidInput(str(error), field="QUORATE_POD_IPS") from None
