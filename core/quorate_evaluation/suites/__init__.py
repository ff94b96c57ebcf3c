"""The five suites that ship, a file each."""
