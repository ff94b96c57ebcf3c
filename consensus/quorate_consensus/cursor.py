"""Where a reader of this process's news is: a place, and whose places are meant."""


def text_of(session: str, place: int) -> str:
    """The cursor of ``place``, to be shown again by the reader."""
    return f"{session}.{place}"


def place_of(cursor: str, session: str, last: int) -> int | None:
    """The place of a cursor of this ``session``, up to its ``last``; None for any other."""
    whose, _, text = cursor.partition(".")
    if whose != session or not (text.isascii() and text.isdigit()):
        return None
    place = int(text)
    return place if place <= last else None
