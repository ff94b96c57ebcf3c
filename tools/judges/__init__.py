"""Measures what the judges of a release miss, and writes docs/reference/judges.md."""
