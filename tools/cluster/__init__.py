"""A Kubernetes cluster for demo and tests: ``python -m tools.cluster --help``.

One interface, two providers: ``kind`` where a Docker engine answers, ``local`` elsewhere.
Standard library only, because the tool runs before the virtual environment exists.
"""
