"""An inventory as one HTML page that needs nothing else: no script, no font, no image from afar.

Everything in it was written by tenants, so all of it is escaped, and the page's own policy forbids
whatever is not inline style.
"""

from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Final

from quorate.admission.suspension import in_words
from quorate_cli.inventory.outcome import RISKS, Inventory, Risk, Server
from quorate_cli.printable import printable

_COLOURS: Final = {
    Risk.CRITICAL: "#8c1c2e",
    Risk.HIGH: "#c4501b",
    Risk.MEDIUM: "#b98500",
    Risk.LOW: "#4c7a9c",
    Risk.NONE: "#3d7d4e",
}
_MEANINGS: Final = {
    Risk.CRITICAL: "runs where the namespace enforces, and was never admitted",
    Risk.HIGH: "nothing looks at it and enforcing would refuse it, or that is not known",
    Risk.MEDIUM: "nothing enforces: it would pass, is only reported, or may be no model server",
    Risk.LOW: "refused and held back, or reported and in order",
    Risk.NONE: "enforced, and in order",
}
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 82rem; }
body { padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
p.when { color: GrayText; margin: .2rem 0 1.5rem; }
ul.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; list-style: none; padding: 0; }
ul.legend svg { vertical-align: -1px; }
ul.gaps { border-left: 4px solid #c4501b; padding: .4rem 1.4rem; }
table { border-collapse: collapse; margin-top: 1.5rem; width: 100%; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid GrayText; }
th, td { padding: .45rem .6rem; vertical-align: top; }
tr + tr td { border-top: 1px solid color-mix(in srgb, GrayText 35%, transparent); }
td.n { text-align: right; }
.risk { color: #fff; border-radius: .3rem; padding: .1rem .5rem; white-space: nowrap; }
small, code { color: GrayText; overflow-wrap: anywhere; }
details summary { cursor: pointer; }
"""
_HEADERS: Final = ("risk", "namespace", "workload", "pods", "server", "model", "owner", "today",
                   "if enforced")  # fmt: skip


def page(inventory: Inventory, now: datetime) -> str:
    """The whole page."""
    return "\n".join(_lines(inventory, now)) + "\n"


def _lines(inventory: Inventory, now: datetime) -> Iterator[str]:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>Model servers</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    found = sum(server.pods for server in inventory.servers)
    yield "<h1>Model servers</h1>"
    yield (
        f'<p class="when">{found} of {inventory.pods_read} pods in {inventory.namespaces} '
        f"namespaces, as of {now.strftime('%Y-%m-%d %H:%M')} UTC</p>"
    )
    yield _bar(inventory)
    yield from _legend(inventory)
    if inventory.suspended:
        yield '<h2>Break-glass</h2>\n<ul class="gaps">'
        yield from (f"<li>{_text(in_words(one))}</li>" for one in inventory.suspended)
        yield "</ul>"
    if inventory.gaps:
        yield '<h2>Not read, so not in the table</h2>\n<ul class="gaps">'
        yield from (f"<li>{_text(g.message)} <small>{_text(g.fix)}</small></li>"
                    for g in inventory.gaps)  # fmt: skip
        yield "</ul>"
    yield "<table>\n<thead><tr>"
    yield "".join(f'<th scope="col">{header}</th>' for header in _HEADERS)
    yield "</tr></thead>\n<tbody>"
    yield from map(_row, inventory.servers)
    yield "</tbody>\n</table>\n</body>\n</html>"


def _bar(inventory: Inventory) -> str:
    """Pods by risk, as one bar."""
    total, at = sum(inventory.by_risk.values()), 0.0
    parts = []
    for risk in RISKS:
        share = 1000 * inventory.by_risk[risk] / total if total else 0
        if share:
            parts.append(
                f'<rect x="{at:.1f}" width="{share:.1f}" height="22" fill="{_COLOURS[risk]}">'
                f"<title>{risk}: {inventory.by_risk[risk]} pods</title></rect>"
            )
        at += share
    label = ", ".join(f"{inventory.by_risk[risk]} {risk}" for risk in RISKS)
    return (
        f'<svg role="img" aria-label="pods by risk: {label}" viewBox="0 0 1000 22" '
        f'width="100%" height="22" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def _legend(inventory: Inventory) -> Iterator[str]:
    yield '<ul class="legend">'
    for risk in RISKS:
        square = f'<rect width="11" height="11" fill="{_COLOURS[risk]}"/>'
        yield (
            f'<li><svg width="11" height="11" aria-hidden="true">{square}</svg> '
            f"<b>{inventory.by_risk[risk]} {risk}</b> <small>{_MEANINGS[risk]}</small></li>"
        )
    yield "</ul>"


def _row(server: Server) -> str:
    risk = f'<span class="risk" style="background:{_COLOURS[server.risk]}">{server.risk}</span>'
    mode = _text(server.mode or "not opted in")
    name = _text(server.server or "not known")
    why = "".join(f"<li>{_text(one)}</li>" for one in server.why)
    model = _text(server.model or server.serves or "none named")
    digest = f"<br><code>{_text(server.digest)}</code>" if server.digest else ""
    reasons = "".join(f"<li>{_text(one)}</li>" for one in server.reasons)
    enforce = _text(server.enforce or "not known")
    cells = (
        f"<td>{risk}</td>",
        f"<td>{_text(server.namespace)}<br><small>{mode}</small></td>",
        f"<td>{_text(server.workload)}<br><code>{_text(server.image)}</code></td>",
        f'<td class="n">{server.pods}</td>',
        f"<td><details><summary>{name} <small>({_text(server.confidence)})</small></summary>"
        f"<ul>{why}</ul></details></td>",
        f"<td>{model}{digest}</td>",
        f"<td>{_text(server.owner or 'not known')}</td>",
        f"<td>{_text(server.verdict)}</td>",
        f"<td><details><summary>{enforce}</summary><ul>{reasons}</ul></details></td>"
        if reasons
        else f"<td>{enforce}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
