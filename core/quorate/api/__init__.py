"""The Kubernetes API of this project, a folder a version."""
