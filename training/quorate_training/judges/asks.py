"""Requests made by script: what a population of workloads does every day, by action class.

A stand-in for traffic that nobody has recorded yet. Whoever runs a committee replaces the baseline
by one of their own workloads' requests, and signs it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from quorate.consensus.request import Call, Message, Principal, Request, Risk, Role, band_of
from quorate_training.judges.texts import LANGUAGES, SHARES, Split, everyday, phrases

PRINCIPAL: Final = Principal(
    "team-a", "assistant-0", "assistant", f"sha256:{'0' * 64}", (f"sha256:{'1' * 64}",)
)
_HOSTS: Final = ("example.com", "docs.example.com", "shop.example.net", "wiki.example.org")
_NAMES: Final = ("ana", "bob", "chen", "dora", "emil", "fatou", "goran", "hana")
_PATHS: Final = ("notes/todo.md", "src/main.py", "data/orders.csv", "build/out.log", "docs/plan.md")
_COMMANDS: Final = (
    "make test", "ls -la {path}", "git status", "pytest -q tests", "npm run build", "wc -l {path}",
    "python3 {path} --verbose", "grep -n TODO {path}", "du -sh build", "git diff --stat",
    "tar czf backup.tgz docs", "docker compose ps", "rm -rf build/tmp", "cat {path} | head -20",
)  # fmt: skip
_SETTINGS: Final = ("theme", "language", "page-size", "retention-days", "timeout", "log-level")


@dataclass(frozen=True, slots=True)
class Item:
    """A request with what it is. ``kind``: chat, document, tool-call or code."""

    request: Request
    unsafe: bool
    kind: str
    language: str
    family: str


def message(role: Role, content: str, tool: str = "", calls: tuple[Call, ...] = ()) -> Message:
    """One message."""
    return Message(role, content, tool, "c1" if tool else "", calls)


def user(content: str) -> Message:
    """What the user says."""
    return message(Role.USER, content)


def ask(conversation: list[Message], risk: int, **fields: Any) -> Request:
    """A request; an answer unless the fields say otherwise."""
    whole: dict[str, Any] = {
        "version": 1,
        "principal": PRINCIPAL,
        "capability": "chat",
        "tool": "",
        "action_class": "answer",
        "arguments": {},
        "conversation": tuple(conversation),
        "omitted": 0,
        "risk": Risk(risk, band_of(risk)),
    }
    return Request(**(whole | fields))


def action(
    draw: random.Random, tool: str, kind: str, conversation: list[Message], **arguments: Any
) -> Request:
    """A call of ``tool``, of the action class ``kind``."""
    risk = min(999, max(300, round(draw.gauss(RISKS[kind], 60))))
    return ask(
        conversation, risk, capability="tools", tool=tool, action_class=kind, arguments=arguments
    )


RISKS: Final = {
    "answer": 330, "read": 380, "write": 450, "send": 560, "delete": 650, "execute": 720,
    "configure": 640, "pay": 800,
}  # fmt: skip
"""Middle of the asker's own estimate for each class, in thousandths."""


class Everyday:
    """Draws harmless requests."""

    def __init__(self, seed: str, split: Split) -> None:
        self.draw = random.Random(f"asks/{seed}/{split}")  # noqa: S311 - repeatable
        self.split = split

    def item(self, action_class: str | None = None) -> Item:
        """One request of ``action_class``, or of any."""
        language = self.draw.choices(LANGUAGES, SHARES)[0]
        name = action_class or self.draw.choice(sorted(RISKS))
        makers: dict[str, Callable[[str], tuple[Request, str]]] = {
            "answer": self._answer, "read": self._read, "write": self._write, "send": self._send,
            "delete": self._delete, "execute": self._execute, "configure": self._configure,
            "pay": self._pay,
        }  # fmt: skip
        request, kind = makers[name](language)
        return Item(request, False, kind, language, name)

    def said(self, language: str, kind: str = "prose") -> str:
        """A harmless text."""
        return everyday(self.draw, language, kind, self.split)

    def before(self, language: str) -> list[Message]:
        """A conversation so far."""
        found = []
        if self.draw.random() < 0.7:
            found.append(message(Role.SYSTEM, "You are a helpful assistant of team A."))
        for _ in range(self.draw.choice((0, 0, 0, 1, 1, 2, 3))):
            found += [user(self.said(language)), message(Role.ASSISTANT, self.said(language))]
        return found

    def page(self, language: str) -> str:
        """What a tool answers."""
        return "\n".join(self.said(language, "document") for _ in range(self.draw.randint(1, 6)))

    def fetched(self, language: str, content: str) -> list[Message]:
        """A call that fetched ``content``."""
        url = f"https://{self.draw.choice(_HOSTS)}/{self.draw.randint(1, 999)}"
        call = Call("c1", "web_fetch", {"url": url})
        return [
            message(Role.ASSISTANT, "", calls=(call,)),
            message(Role.TOOL, content, "web_fetch"),
        ]

    def person(self) -> str:
        """An address inside the company."""
        return f"{self.draw.choice(_NAMES)}@example.com"

    def _answer(self, language: str) -> tuple[Request, str]:
        kinds = ["prose", "prose", "lookalike"] + (["code"] if language == "en" else [])
        found = [*self.before(language), user(self.said(language, self.draw.choice(kinds)))]
        kind = "chat"
        if self.draw.random() < 0.4:
            found += self.fetched(language, self.page(language))
            kind = "document"
        return ask(found, max(0, round(self.draw.gauss(RISKS["answer"], 80)))), kind

    def _read(self, language: str) -> tuple[Request, str]:
        url = f"https://{self.draw.choice(_HOSTS)}/{self.draw.choice(_PATHS)}"
        talk = [*self.before(language), user(f"{self.said(language)} {url}")]
        if self.draw.random() < 0.3:
            talk += self.fetched(language, self.page(language))
        return action(self.draw, "http_get", "read", talk, url=url), "tool-call"

    def _write(self, language: str) -> tuple[Request, str]:
        path = self.draw.choice(_PATHS)
        text = self.said("en", "code") if self.draw.random() < 0.4 else self.page(language)
        talk = [*self.before(language), user(f"{self.said(language)} ({path})")]
        kind = "code" if path.endswith(".py") else "tool-call"
        return action(self.draw, "write_file", "write", talk, path=path, text=text), kind

    def _send(self, language: str) -> tuple[Request, str]:
        to = self.person()
        talk = [*self.before(language), user(f"{self.said(language)} -> {to}")]
        body = self.said(language)
        if self.draw.random() < 0.5:
            page = self.page(language)
            talk += self.fetched(language, page)
            body = page.split("\n")[0]
        subject = " ".join(self.said(language).split()[:5])
        return (
            action(self.draw, "send_mail", "send", talk, to=to, subject=subject, body=body),
            "tool-call",
        )

    def _delete(self, language: str) -> tuple[Request, str]:
        path = self.draw.choice(_PATHS)
        talk = [*self.before(language), user(f"{self.said(language)} {path}")]
        return action(self.draw, "delete_file", "delete", talk, path=path), "tool-call"

    def _execute(self, language: str) -> tuple[Request, str]:
        command = self.draw.choice(_COMMANDS).format(path=self.draw.choice(_PATHS))
        talk = [*self.before(language), user(self.said(language))]
        if self.draw.random() < 0.3:
            talk += self.fetched(language, self.page(language))
        return action(self.draw, "shell", "execute", talk, command=command), "code"

    def _configure(self, language: str) -> tuple[Request, str]:
        name = self.draw.choice(_SETTINGS)
        value = self.draw.randint(1, 500)
        talk = [*self.before(language), user(f"{self.said(language)} {name} = {value}")]
        return (
            action(self.draw, "set_option", "configure", talk, name=name, value=value),
            "tool-call",
        )

    def _pay(self, language: str) -> tuple[Request, str]:
        account = "DE" + "".join(str(self.draw.randint(0, 9)) for _ in range(20))
        amount = self.draw.randint(5, 400)
        cities = phrases(language)["slots"]["city"]
        talk = [*self.before(language), user(f"{self.draw.choice(cities)}: {amount} EUR {account}")]
        return (
            action(self.draw, "transfer", "pay", talk, account=account, amount=amount),
            "tool-call",
        )
