"""Errors of the cluster tool: each message says what to do next."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot be brought to the state that was asked for."""


class CommandFailed(ClusterError):
    """A command that the tool ran ended with a non-zero exit code."""


class ComponentFailed(ClusterError):
    """A component ended or did not become ready in time; the message holds its last log lines."""
