"""Where an object in the cluster differs from the one this version writes."""

from typing import Any, Final

_DEFAULTS: Final[dict[str, tuple[Any, ...]]] = {
    "matchPolicy": ("Equivalent",),
    "namespaceSelector": ({},),
    "objectSelector": ({},),
    "scope": ("*",),
    "reason": ("Invalid", "Forbidden"),
    "parameterNotFoundAction": ("Allow",),
    "timeoutSeconds": (10,),
}
"""What the API server adds by itself to a field that was left out."""


def difference(expected: Any, live: Any, path: str = "") -> str:
    """The first field that differs, as a path; empty if the live object is as expected.

    What the API server adds by default is no difference; anything else that was added is: an
    exclusion or one more condition takes the floor away.
    """
    if isinstance(expected, dict) and isinstance(live, dict):
        for key in {**expected, **live}:
            where = f"{path}.{key}" if path else key
            if key not in expected:
                if live[key] in _DEFAULTS.get(key, ()):
                    continue
                return where
            if key not in live:
                # Empty lists and objects are not kept.
                if expected[key] in ([], {}, ""):
                    continue
                return where
            if found := difference(expected[key], live[key], where):
                return found
        return ""
    if isinstance(expected, list) and isinstance(live, list):
        if len(expected) != len(live):
            return path
        for index, (one, other) in enumerate(zip(expected, live, strict=True)):
            if found := difference(one, other, f"{path}[{index}]"):
                return found
        return ""
    return "" if expected == live else path
