"""What happens to a pod at admission: one source for mutate, validate and the floor."""
