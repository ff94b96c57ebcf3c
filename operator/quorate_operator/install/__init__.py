"""What happens once, at installation: keys, genesis, authority. Each step can be run again."""
