"""Makes the hashed lock files from one resolution of pyproject.toml."""
