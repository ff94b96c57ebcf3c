"""Names of what the services measure. How it is measured is the services' affair."""
