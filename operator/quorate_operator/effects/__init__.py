"""Doing what was planned: calls to the API server and members, bounded and retried."""
