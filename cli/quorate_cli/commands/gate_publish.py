"""``gate publish``: sign a report and put the result where the operator reads it."""

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from quorate import names
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto import gate_statement, verify_gate
from quorate.evidence.signatures import SignerSet
from quorate.manifest import check_digest
from quorate_cli.cluster.connection import add_arguments, connect_writer
from quorate_cli.cluster.kinds import CONFIG_MAP
from quorate_cli.cluster.writer import Missing
from quorate_cli.command import Command, Result
from quorate_cli.files import read_file, read_password, read_signer
from quorate_cli.progress import Progress
from quorate_cli.report import parse_report

_PLACE: Final = re.compile(r"([a-z0-9][a-z0-9.-]{0,252})/([-._a-zA-Z0-9]{1,253})\Z")


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, required=True, help="report of the run (JSON)")
    parser.add_argument(
        "--manifest-digest", metavar="DIGEST", required=True, help="the model, as sha256:…"
    )
    parser.add_argument("--key", type=Path, required=True, help="private key of the producer")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--config-map", metavar="NAME/KEY", required=True, help="ConfigMap that exists, and its key"
    )
    add_arguments(parser, namespace=True)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    place = _PLACE.match(arguments.config_map)
    if place is None:
        raise InvalidInput("must be NAME/KEY", field="--config-map")
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    digest = check_digest(arguments.manifest_digest, "--manifest-digest")
    run, reported = parse_report(read_file(arguments.report))
    if reported is not None and reported.digest != digest:
        raise InvalidInput(f"the report is about {reported.digest}", field="report.subject")
    envelope = dsse.sign(gate_statement(run, digest), names.INTOTO_TYPE, [signer])
    gate = verify_gate(envelope, SignerSet((signer.public_key,)))
    writer, namespace = connect_writer(arguments)
    body = {"data": {place[2]: envelope.decode("utf-8")}}
    try:
        writer.patch(CONFIG_MAP, place[1], body, namespace=namespace)
    except Missing as error:
        raise Missing(error.message, field=error.field, fix="apply what gate job prints") from None
    where = f"configmap/{place[1]} -n {namespace}, key {place[2]}"
    return Result(
        [f"published the result {gate.result} in {where}", f"manifest digest: {digest}"],
        {"result": gate.result, "manifestDigest": digest, "suite": gate.suite, "place": where},
    )


COMMAND = Command(
    words=("gate", "publish"),
    summary="sign a report and put the result into a ConfigMap",
    description=(
        "Sign the report of a run about one model and set it as one key of a ConfigMap, which an\n"
        "AttestedModel names in evidenceFrom. It is what the Job of gate job does last: it needs\n"
        "the right to patch that one ConfigMap and no other."
    ),
    examples=(
        "gate publish --report report.json --manifest-digest sha256:… --key evaluator.key \\\n"
        "      -n team-a --config-map results/red-team.json",
    ),
    arguments=_arguments,
    run=_run,
    notes="FAILED results are published as well, with exit code 0: they are evidence.",
)
