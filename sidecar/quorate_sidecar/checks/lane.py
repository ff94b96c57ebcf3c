"""One text that arrives in pieces and leaves checked.

The cursor moves through the text in order and never beyond what is decided. At a finding it stops
for good (deny), replaces (mask) or only counts (flag). So what leaves depends on the text alone,
not on how it was cut: the whole text in one piece is the same computation.
"""

from quorate_sidecar.checks.scanner import Finding, Progress, Scanner

Tally = dict[tuple[str, str, str], int]
"""How often each (check, rule, action) was found."""


class ContentDenied(Exception):
    """A finding whose action is deny. ``released`` is what was decided before it."""

    def __init__(self, finding: Finding, released: str) -> None:
        super().__init__(f"{finding.check}: {finding.rule}")
        self.finding = finding
        self.released = released


class Lane:
    """A text in the making. Feed it pieces; it returns what may be let out."""

    __slots__ = (
        "_ahead", "_base", "_buffer", "_cursor", "_mask_end", "_scanner", "_tail", "_tally",
        "masked", "received", "released",
    )  # fmt: skip

    def __init__(self, scanner: Scanner, tally: Tally) -> None:
        self._scanner = scanner
        self._tally = tally
        self._buffer = b""
        self._base = 0
        """Position in the whole text of the buffer's first byte. All other positions are of the
        whole text too."""
        self._cursor = 0
        self._mask_end = 0
        self._tail = b""
        self._ahead: dict[int, Progress] = {}
        self.received = 0
        self.released = 0
        self.masked = 0

    @property
    def scanned(self) -> int:
        """Bytes whose fate is decided."""
        return self._cursor

    def feed(self, text: str, *, final: bool = False) -> str:
        """Take ``text``; return what may leave now. ``final`` says that no more will come.

        Raises ContentDenied at the first finding that denies.
        """
        data = text.encode()
        self.received += len(data)
        self._buffer += data
        suspects = self._scanner.suspects(self._buffer)
        if final:
            frontier = self._base + len(self._buffer)
        else:
            frontier = max(self._base + self._scanner.frontier(self._buffer), self._cursor)
        findings = self._findings(suspects, frontier) if suspects else []
        released = self._move(findings, frontier) if findings else self._advance(frontier)
        self._forget()
        return released

    def _findings(self, suspects: list[int], frontier: int) -> list[Finding]:
        """All findings between the cursor and ``frontier``, in the order they count."""
        base = self._base
        found: list[Finding] = []
        for index in suspects:
            progress = self._ahead.setdefault(index, Progress())
            progress.resume = max(progress.resume, self._cursor) - base
            progress.floor = max(progress.floor - base, 0)
            found += self._scanner.find(self._buffer, index, progress, frontier - base)
            progress.resume += base
            progress.floor += base
        found.sort(key=lambda finding: finding.order)
        return found

    def _move(self, findings: list[Finding], frontier: int) -> str:
        """Advance over ``findings`` to ``frontier``."""
        out = ""
        for finding in findings:
            start, end = finding.start + self._base, finding.end + self._base
            out += self._advance(start)
            key = (finding.check, finding.rule, finding.action)
            self._tally[key] = self._tally.get(key, 0) + 1
            if finding.action == "deny":
                raise ContentDenied(finding, out)
            if finding.action == "flag":
                continue
            if not self._inside_mask(start):
                out += f"[masked:{finding.check}]"
            if end >= self._mask_end:
                self._mask_end = end
                self._tail = finding.tail
        return out + self._advance(frontier)

    def _inside_mask(self, position: int) -> bool:
        if position < self._mask_end:
            return True
        return bool(self._tail) and self._buffer[position - self._base] in self._tail

    def _advance(self, position: int) -> str:
        """Move the cursor to ``position`` over decided text; return what is not masked."""
        if self._cursor < self._mask_end:
            self._swallow(min(self._mask_end, position))
        if self._tail and self._cursor == self._mask_end:
            rest = self._buffer[self._cursor - self._base : position - self._base]
            kept = rest.lstrip(self._tail)
            self._swallow(position - len(kept))
            self._mask_end = self._cursor
            if kept:
                self._tail = b""
        plain = self._buffer[self._cursor - self._base : position - self._base]
        self._cursor = max(self._cursor, position)
        self.released += len(plain)
        return plain.decode()

    def _swallow(self, position: int) -> None:
        self.masked += position - self._cursor
        self._cursor = position

    def _forget(self) -> None:
        """Drop what no pattern will look at again, but for one byte that word boundaries need."""
        keep = max(self._cursor - 1 - self._base, 0)
        if keep:
            self._buffer = self._buffer[keep:]
            self._base += keep


def decide(scanner: Scanner, text: str, tally: Tally) -> str:
    """Decide on a whole text: return it, masked where the policy says so.

    Raises ContentDenied at the first finding that denies.
    """
    if not scanner.suspects(text.encode()):
        return text
    return Lane(scanner, tally).feed(text, final=True)
