"""The demonstration: one model refused, one served, on a real cluster."""
