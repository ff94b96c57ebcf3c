"""OpenAI's HTTP API as this sidecar speaks it: every field that may pass, and nothing else."""
