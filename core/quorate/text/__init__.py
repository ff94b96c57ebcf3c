"""Texts as a judge reads them: what a person would see, whatever was done to hide it.

:mod:`.normal` undoes what looks the same, :mod:`.views` what was encoded.
"""

from quorate.text.normal import normal, squash
from quorate.text.views import views

__all__ = ["normal", "squash", "views"]
