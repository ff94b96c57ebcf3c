"""The report as one page: no script, no address, nothing that is fetched."""

from html import escape
from typing import Any

from quorate_evaluation.evaluation import Evaluation
from quorate_evaluation.report.plot import plot
from quorate_evaluation.report.rows import HEADER, rows

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #1c2430 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d5dae1 }
code { font-size: .85em; overflow-wrap: anywhere }
.result { display: inline-block; padding: .1rem .7rem; border-radius: .3rem; color: #fff }
.PASSED { background: #1b7a3d } .WARNED { background: #9a6700 } .FAILED { background: #b3261e }
"""


def page(evaluation: Evaluation, report: dict[str, Any]) -> bytes:
    """The page, in UTF-8. ``report`` is the same run as JSON values."""
    name, result = escape(evaluation.suite.name), escape(report["result"])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">",
        f"<title>{name}: {result}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{name} <span class="result {result}">{result}</span></h1>',
        f"<p>{escape(evaluation.suite.summary)}</p>",
        plot(evaluation),
        _table(HEADER, rows(evaluation)),
        "<h2>What was run</h2>",
        _table(("", ""), _facts(report)),
        *_findings(report["details"]),
        "</body></html>",
    ]
    return "\n".join(parts).encode()


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    digests = [(kind, report[kind]["digest"]["sha256"]) for kind in ("suite", "dataset", "harness")]
    times = [("started", report["startedAt"]), ("finished", report["finishedAt"])]
    about = [(k, v) for k, v in report["details"].items() if isinstance(v, str) and k != "summary"]
    runs = [(k, f"{v:g}") for k, v in report["metrics"].items() if k.startswith("run.")]
    return [*about, *times, *digests, *runs]


def _findings(details: dict[str, Any]) -> list[str]:
    if not details["findings"]:
        return []
    found = [(item["case"], item["found"]) for item in details["findings"]]
    shown = f"{len(found)} of {details['findingsInAll']}"
    return [f"<h2>Findings ({shown})</h2>", _table(("CASE", "FOUND"), found)]


def _table(header: tuple[str, ...], lines: list[Any]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header) if any(header) else ""
    body = "".join(
        f"<tr>{''.join(f'<td><code>{escape(cell)}</code></td>' for cell in line)}</tr>"
        for line in lines
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
