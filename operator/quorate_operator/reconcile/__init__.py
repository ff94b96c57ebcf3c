"""Pure planners: from what was observed and the time to what should be done. No I/O, no clock."""
