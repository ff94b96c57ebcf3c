"""Running suites from the command line: arguments, progress, and the Job that does the same."""
