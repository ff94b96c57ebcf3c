"""The operator: turns evidence into certificates and releases pods that may run."""
