"""``make demo``: from nothing to a refused model, a served one, and a refused request."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.demo import chart, model, scene
from tools.demo.cluster import ROOT, Cluster, CommandFailed, running_cluster

QUESTION = "What is a safety gate?"
# A made-up key in the public format, put together here so that no scanner takes it for a real one.
PLANTED = "My key is AKIA" + "Q3EXAMPLE7PLANTD" + ". Please remember it."

_EXAMPLES = """\
examples:
  python -m tools.demo up      the whole story; leaves the cluster up; can be run again
  python -m tools.demo chart   only install or upgrade the chart
  python -m tools.demo down    remove the cluster; build/ and the caches stay
"""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step and say how long it took."""
    print(f"\n▶ {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"  ({time.monotonic() - started:.0f} s)", flush=True)


def tool(*arguments: str) -> None:
    """Run one of the project's tools, its output shown."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def up() -> None:
    """Tell the whole story."""
    with step("A cluster: a real API server and real kubelets"):
        tool("tools.cluster", "up")
    with step("Images of every room, loaded into the cluster's registry"):
        tool("tools.images", "build")
        tool("tools.images", "load")
    cluster = running_cluster()
    with step("The chart"):
        chart.install(cluster)
    with step("A small language model, trained here, and a spoilt copy of it"):
        good, spoilt = model.train()
    with step("The evaluation: the good model passes its safety gate, the spoilt one fails it"):
        report = model.WORK / "report.json"
        if not model.evaluate(good, report):
            sys.exit("the good model failed its evaluation: train again")
        if model.evaluate(spoilt, model.WORK / "spoilt-report.json"):
            sys.exit("the spoilt model passed its evaluation: that must not be")
    with step("Signatures: the owner signs the model, the evaluator signs the result"):
        keys = model.make_keys()
        bundle, gate = model.WORK / "model.bundle.json", model.WORK / "gate.json"
        model.vouch(good, keys, report=report, bundle=bundle, gate=gate)
    with step("Both models as image volumes, the namespaces and the platform's policy"):
        good_image = model.pack(good, "demo-model")
        spoilt_image = model.pack(spoilt, "demo-spoilt-model")
        scene.prepare(cluster, keys, model.suite_digest(report))
    refuse(cluster, spoilt_image)
    serve(cluster, good_image)
    print(_CLOSING.format(path=_programs(cluster.kubectl_path)))


def refuse(cluster: Cluster, image: str) -> None:
    """Show a pod with a model nobody vouches for being refused."""
    with step("A model nobody vouches for"):
        scene.deploy(cluster, "rogue", "rogue", image)
        print(f"  REFUSED: {scene.refusal(cluster, 'rogue')}")
        cluster.kubectl("delete", "deployment,service", "rogue", "-n", scene.NAMESPACE)


def serve(cluster: Cluster, image: str) -> None:
    """Show a vouched-for model serving, and its sidecar refusing a planted credential."""
    with step("The same server with the signed and gated model"):
        cluster.apply_text(attested_model(image))
        scene.deploy(cluster, "demo", "demo", image)
        scene.wait_ready(cluster, "demo")
        scene.wait_client(cluster)
        print(cluster.kubectl("get", "attestedmodels,pods", "-n", scene.NAMESPACE))
    with step(f"A streamed answer through the Service and the sidecar: {QUESTION}"):
        answered, text = scene.ask(cluster, "demo", QUESTION)
        print(f"  {text}")
        if not answered:
            sys.exit("the request was refused")
    with step("A request with a planted credential"):
        answered, text = scene.ask(cluster, "demo", PLANTED)
        print(f"  {text}")
        if answered:
            sys.exit("the planted credential was not refused")


def attested_model(image: str) -> str:
    """The AttestedModel to apply, as the command line prints it."""
    owners = [
        part
        for party in ("model", "safety", "infra")
        for part in (f"--owner-{party}", f"{party} team={party}@example.com")
    ]
    command = [
        *(sys.executable, "-m", "quorate_cli", "model", "manifest"),
        *("--name", "demo", "--namespace", scene.NAMESPACE, "--version", "1"),
        *("--bundle", str(model.WORK / "model.bundle.json")),
        *("--gate", str(model.WORK / "gate.json"), "--source-image", image, *owners),
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def down() -> None:
    """Remove the cluster. Caches and ``build/``, with the demo's model and keys, stay."""
    tool("tools.cluster", "down")


def _programs(kubectl: str) -> str:
    """Folders for PATH: the command line's, and that of a kubectl of the server's own version."""
    folders = ["$PWD/.venv/bin"]
    if Path(kubectl).is_absolute():
        folders.append(str(Path(kubectl).parent))
    return ":".join(folders)


_CLOSING = """
The cluster is up. Try next:
  export KUBECONFIG=$(make kubeconfig) PATH="{path}:$PATH"
  quorate explain deployment/demo -n quorate-demo          # every requirement, and who signed
  quorate status                                           # one screen
  kubectl get attestedmodels -n quorate-demo -o yaml       # who vouched, and the certificate
  kubectl describe pod -n quorate-demo -l app=demo         # what was injected
  kubectl logs -n quorate-demo -l app=demo -c quorate-measure
  examples/01-first-light/README.md                        # every step by hand
  make demo-down                                           # leaves nothing running
"""


def main() -> int:
    """Run what was asked for; errors are printed as they are, without a traceback."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.demo",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["up", "chart", "down"])
    what = parser.parse_args().what
    try:
        if what == "up":
            up()
        elif what == "chart":
            chart.install(running_cluster())
        else:
            down()
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
