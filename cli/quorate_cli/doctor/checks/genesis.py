"""Genesis: one for the cluster, the same in every injected pod."""

from collections.abc import Iterator

from quorate.consensus.epoch import Epoch
from quorate_cli.cluster.protected_pods import PodCensus
from quorate_cli.doctor.finding import Finding, failed, ok
from quorate_cli.doctor.survey import Survey

NAMED_MAX = 5


def genesis(survey: Survey) -> Iterator[Finding]:
    """It hashes to the digest beside it, and the injection can be read with it."""
    if isinstance(survey.genesis, Epoch):
        members, admins = len(survey.genesis.members), survey.genesis.record.admins
        people = f"{admins.needed} of {len(admins.keys)}" if admins.keys else "no"
        yield ok(
            "genesis",
            f"{survey.genesis.digest_text}, {members} member{'s'[: members > 1]}, "
            f"{people} administrators",
        )


def injected_genesis(survey: Survey) -> Iterator[Finding]:
    """Every injected pod pins this genesis: one that pins another will never be served."""
    check = "injected genesis"
    if not isinstance(survey.genesis, Epoch) or not isinstance(survey.pods, PodCensus):
        return
    total = sum(survey.pods.genesis.values())
    stale = [digest for digest in survey.pods.genesis if digest != survey.genesis.digest_text]
    if not stale:
        yield ok(check, f"the same in {total} injected pods")
        return
    count = sum(survey.pods.genesis[digest] for digest in stale)
    named = [pod for digest in stale for pod in survey.pods.of_genesis.get(digest, ())]
    message = f"{count} of {total} pods pin another: {', '.join(named[:NAMED_MAX])}"
    commands = [
        f"kubectl delete pod {name} -n {namespace}"
        for namespace, _, name in (pod.partition("/") for pod in named[:NAMED_MAX])
    ]
    yield failed(check, message, "delete them; their controllers make them anew", *commands)
