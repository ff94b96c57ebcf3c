"""``explain``: from what the API server holds to a chain of reasons, and from that to text."""
