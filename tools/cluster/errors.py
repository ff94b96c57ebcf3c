"""Errors of the cluster tool: each message says what to do next."""

from __future__ import annotations


class ToolError(Exception):
    """What the cluster or image tool says instead of a traceback."""


class ClusterError(ToolError):
    """The cluster cannot be brought to the state that was asked for."""


class CommandFailed(ClusterError):
    """A command that the tool ran ended with a non-zero exit code."""


class ComponentFailed(ClusterError):
    """A component ended or did not become ready in time; the message holds its last log lines."""
