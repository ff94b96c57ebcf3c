"""Reading a cluster: one thin reader, and the errors of not being able to."""
