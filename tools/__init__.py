"""The project's own tools: run them from the root of the tree with ``python -m tools.NAME``."""
