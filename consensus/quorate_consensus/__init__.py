"""A committee member: re-verifies evidence, signs certificates and the state."""
