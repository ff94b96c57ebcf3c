"""``$(NAME)`` in arguments and variables, expanded exactly as the kubelet does it.

Source: Kubernetes, third_party/forked/golang/expansion: ``$$`` is a dollar sign, a name ends at the
first ``)`` whatever it holds, and what is not defined stays as it is written.
"""

from collections.abc import Iterable, Mapping

TEXT_MAX = 131_072
"""Characters of one argument or variable: with more, Linux starts no program (MAX_ARG_STRLEN).
Each variable may name the one before it twice, so a few dozen would be larger than any memory."""
ALL_MAX = 6 * 1024 * 1024
"""Of all arguments, or of all variables: more than the most that Linux starts a program with."""


def expanded(text: str, values: Mapping[str, str]) -> tuple[str, bool]:
    """The text the server gets, and whether all of it stands in the pod.

    False if it refers to what is not in ``values``: the pod may take that from elsewhere. And False
    if it is longer than TEXT_MAX: then it is as it was written.
    """
    if "$" not in text:
        return text, True
    parts: list[str] = []
    known = True
    at = length = 0
    last = text.rfind(")")
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            parts.append(text[at:])
            break
        parts.append(text[at:dollar])
        # Looked for only where there is one, or a text of nothing but beginnings takes forever.
        begins = text[dollar + 1] == "(" and dollar < last
        close = text.find(")", dollar + 2) if begins else -1
        if close >= 0:
            name = text[dollar + 2 : close]
            known = known and name in values
            parts.append(values.get(name, text[dollar : close + 1]))
            length += len(parts[-1])
            if length > TEXT_MAX:
                return text, False
            at = close + 1
        elif text[dollar + 1] == "(":
            parts.append("$(")
            at = dollar + 2
        else:
            parts.append("$" if text[dollar + 1] == "$" else text[dollar : dollar + 2])
            at = dollar + 2
    return "".join(parts), known


def variables(named: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Values of the variables that stand in the pod; each may refer to those before it.

    None is a value from elsewhere: it, and what refers to it, is not known.
    """
    values: dict[str, str] = {}
    length = 0
    for name, value in named:
        text, known = "", False
        if value is not None and length <= ALL_MAX:
            text, known = expanded(value, values)
        length += len(text)
        if known:
            values[name] = text
        else:
            values.pop(name, None)
    return values
