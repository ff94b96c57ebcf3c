"""``exception new``: write down what is to be lifted, for what, and why."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pydantic import ValidationError

from quorate.api.v1alpha1.safety_exception import SafetyExceptionSpec
from quorate.errors import InvalidInput
from quorate_cli import exception_file
from quorate_cli.command import Command, Result
from quorate_cli.evidence_signer import add_model, model_digest
from quorate_cli.files import check_target
from quorate_cli.progress import Progress


def _arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    for flag, text in (
        ("--name", "name of the SafetyException"),
        ("--cluster", "UID of the namespace kube-system of the cluster it is for"),
        ("--policy", "ClusterSafetyPolicy whose requirement is lifted"),
        ("--requirement", "Gate/NAME, SignerThreshold, Connect or EphemeralContainers"),
        ("--namespace", "namespace of the workload"),
        ("--model-name", "AttestedModel that the workload's pods name"),
        ("--reason", "why, in one line"),
    ):
        parser.add_argument(flag, required=True, help=text)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="where to write")


def _run(arguments: Namespace, progress: Progress) -> Result:
    check_target(arguments.out)
    workload = {
        "namespace": arguments.namespace,
        "model": arguments.model_name,
        "manifestDigest": model_digest(arguments, progress),
    }
    terms = {name: getattr(arguments, name) for name in ("cluster", "policy", "requirement")}
    try:
        spec = SafetyExceptionSpec.model_validate(
            terms | {"workload": workload, "reason": arguments.reason}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(first["msg"], field=f"--{first['loc'][-1]}") from None
    if not arguments.reason.isprintable() or not arguments.reason.strip():
        raise InvalidInput("must be a text of one line", field="--reason")
    exception_file.save(arguments.out, arguments.name, spec)
    lines, document = exception_file.described(exception_file.load(arguments.out))
    step = f"next: kubectl quorate exception approve {arguments.out} --key KEY, by each approver"
    return Result([*lines, step], document | {"file": str(arguments.out)})


COMMAND = Command(
    words=("exception", "new"),
    summary="write a SafetyException for others to approve",
    description=(
        "Write a SafetyException: one requirement of one ClusterSafetyPolicy, for one model's\n"
        "bytes in one namespace. Gate/NAME need not be shown (one that failed still denies);\n"
        "SignerThreshold makes one accepted signer enough; Connect lets people exec, attach and\n"
        "port-forward into the workload's pods; EphemeralContainers lets kubectl debug add\n"
        "containers to them, and those pods are deleted when it ends. Nothing is lifted until\n"
        "enough approvers signed."
    ),
    examples=(
        "exception new --name late-red-team --policy standard --requirement Gate/red-team \\\n"
        "      --namespace team-a --model-name demo --manifest-digest sha256:… \\\n"
        "      --cluster 0f8fad5b-d9cb-469f-a165-70867728950e \\\n"
        "      --reason 'the lab is moving; ticket 42' --out exception.yaml",
    ),
    arguments=_arguments,
    run=_run,
    notes="The cluster's UID: kubectl get namespace kube-system -o jsonpath={.metadata.uid}",
)
