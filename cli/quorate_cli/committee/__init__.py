"""Talking with a committee and about it: its members, its chain, and what people sign."""
