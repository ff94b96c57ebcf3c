"""The training room: the only place of the project that imports torch."""
