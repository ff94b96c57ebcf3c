"""The command line, `kubectl quorate`."""
