"""Policies: compile what people wrote, intersect what selects a pod, evaluate evidence."""
