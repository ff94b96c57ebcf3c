"""Reports of a run for people: rows, a page with a plot, JSON. Pure."""
