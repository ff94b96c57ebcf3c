"""Exit codes, as ``--help`` documents them."""

from typing import Final

OK: Final = 0
DENIED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3

EPILOG: Final = """\
exit codes:
  0  done, or verified
  1  denied, or the verification failed
  2  wrong usage, or bad input
  3  cluster or endpoint could not be reached, or something needed may not be read
"""
