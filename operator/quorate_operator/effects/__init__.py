"""Doing what was planned: calls to the API server and the member, bounded and retried."""
