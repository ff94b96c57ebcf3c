"""What the webhook knows of the cluster: watched, verified when it enters, looked up without I/O.

The only place with a Kubernetes client.
"""
