"""The command line: ``quorate``, also as ``kubectl quorate``."""
