"""What the services share that does I/O: TLS, the member client, health and metrics, logs."""
