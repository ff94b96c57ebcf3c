"""Inventory: every model server of a cluster, opted in or not, and what enforcing would do."""
