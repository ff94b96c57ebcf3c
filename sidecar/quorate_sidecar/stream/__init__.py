"""Streamed answers: reading events, holding text back until it is decided, writing events."""
