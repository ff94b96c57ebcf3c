"""Signatures and statements that are kept outside the object: read them, and say what was read."""
