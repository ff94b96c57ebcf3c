"""The injected containers: measuring the model, and the proxy in front of it."""
