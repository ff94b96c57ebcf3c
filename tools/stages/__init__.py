"""Runs the test stages in order, with what takes long and needs no one beside them."""
