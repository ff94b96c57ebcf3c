"""The audit log: hash-chained records of what was asked, decided and released, never the bodies."""
