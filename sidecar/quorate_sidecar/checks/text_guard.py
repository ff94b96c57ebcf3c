"""Applies the checks to every text of a body that is there as a whole."""

from quorate.audit.records import CheckResult, Coverage
from quorate_sidecar.checks.lane import ContentDenied, Lane, Tally
from quorate_sidecar.checks.scanner import NAME_LENGTH, Finding, Scanner
from quorate_sidecar.refusal import Code, Refusal

LANES_RECORDED = 16
"""Texts whose coverage an audit record lists one by one; the rest is summed up."""

_WHERE_LENGTH = 120


def denied_content(finding: Finding, where: str) -> Refusal:
    """The refusal for a finding. It names the rule and the place, never the text."""
    message = f"{finding.check}: {finding.rule} found in {where[:_WHERE_LENGTH]}"
    return Refusal(403, Code.CONTENT, message, param=where[:_WHERE_LENGTH])


class TextGuard:
    """The visitor of requests and of whole answers; a :class:`quorate_sidecar.openai.Visitor`."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.tally: Tally = {}
        self.coverage: list[Coverage] = []
        self.masked = False
        """True if a text was changed, so that the body must be serialised again."""

    def prose(self, where: str, text: str) -> str:
        """Return ``text``, masked if need be. Raises Refusal if it is denied."""
        data = text.encode()
        if not self._scanner.suspects(data):
            self.coverage.append(Coverage(where, len(data), len(data), len(data), 0))
            return text
        lane = Lane(self._scanner, self.tally)
        try:
            released = lane.feed(text, final=True)
        except ContentDenied as denied:
            self.coverage.append(Coverage(where, len(data), lane.scanned, 0, 0))
            raise denied_content(denied.finding, where) from None
        self.coverage.append(coverage_of(where, lane))
        self.masked |= released != text
        return released

    def fixed(self, where: str, text: str) -> None:
        """Raise Refusal if there is anything to deny or to mask in ``text``."""
        if len(text) <= NAME_LENGTH and self._scanner.is_clean(text):
            return
        self._refuse(where, text, f"{where} cannot be masked")

    def joined(self, where: str, texts: list[str]) -> None:
        """Raise Refusal if there is something only in ``texts`` together."""
        self._refuse(where, "".join(texts), "it spans several parts and cannot be masked")

    def _refuse(self, where: str, text: str, why: str) -> None:
        if not self._scanner.suspects(text.encode()):
            return
        tally: Tally = {}
        try:
            Lane(self._scanner, tally).feed(text, final=True)
        except ContentDenied as denied:
            raise denied_content(denied.finding, where) from None
        finally:
            for key, count in tally.items():
                self.tally[key] = self.tally.get(key, 0) + count
        for check, rule, action in tally:
            if action == "mask":
                message = f"{check}: {rule} found in {where[:_WHERE_LENGTH]}; {why}"
                raise Refusal(403, Code.CONTENT, message, param=where[:_WHERE_LENGTH])


def coverage_of(name: str, lane: Lane) -> Coverage:
    """What a lane did, for the audit record."""
    return Coverage(name, lane.received, lane.scanned, lane.released, lane.masked)


def summed(coverage: list[Coverage]) -> tuple[Coverage, ...]:
    """``coverage`` with at most LANES_RECORDED entries: what is beyond them as one."""
    kept, rest = coverage[:LANES_RECORDED], coverage[LANES_RECORDED:]
    if rest:
        kept = [
            *kept,
            Coverage(
                f"and {len(rest)} more",
                sum(lane.received for lane in rest),
                sum(lane.scanned for lane in rest),
                sum(lane.released for lane in rest),
                sum(lane.masked for lane in rest),
            ),
        ]
    return tuple(kept)


def results(scanner: Scanner, tally: Tally) -> tuple[CheckResult, ...]:
    """What every check of the policy found, also if that is nothing: it did look."""
    if not tally:
        return scanner.nothing_found
    found: dict[str, dict[str, int]] = {}
    for (check, rule, _), count in tally.items():
        rules = found.setdefault(check, {})
        rules[rule] = rules.get(rule, 0) + count
    return tuple(
        CheckResult(looked.check, looked.action, found.get(looked.check, {}))
        for looked in scanner.nothing_found
    )
