"""Models: none is about to lose what lets it run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from quorate_cli.cluster.model_summary import ModelSummary
from quorate_cli.doctor.finding import Finding, notice, ok
from quorate_cli.doctor.survey import Survey

NAMED_MAX: Final = 10


def models(survey: Survey) -> Iterator[Finding]:
    """No evidence is in the last tenth of its life, and no certificate lapsed."""
    if not isinstance(survey.models, list):
        return
    lapsing = [(m, why) for m in survey.models if (why := _lapse(m, survey.now))]
    for model, why in lapsing[:NAMED_MAX]:
        fix = "run the gates again and apply the new results"
        command = f"kubectl quorate explain model/{model.name} -n {model.namespace}"
        yield notice("models", f"{model.ref} {why}", fix, command)
    if len(lapsing) > NAMED_MAX:
        message = f"{len(lapsing) - NAMED_MAX} more are about to lapse"
        yield notice("models", message, "see all of them", "kubectl quorate status --output json")
    if not lapsing:
        ready = sum(model.ready == "True" for model in survey.models)
        yield ok("models", f"{ready} of {len(survey.models)} ready, none about to lapse")


def _lapse(model: ModelSummary, now: datetime) -> str:
    """Why a model that is ready may not stay so; empty for one that is not ready anyway."""
    if model.ready != "True":
        return ""
    if model.certified_until is not None and model.certified_until <= now:
        return f"is called ready, and its certificate expired at {_time(model.certified_until)}"
    if model.renew_by is not None and model.renew_by <= now:
        return f"lapses at {_time(model.evidence_until)}: a gate's result becomes too old"
    return ""


def _time(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ") if instant else "an unknown time"
