"""Container images of the checkout: ``python -m tools.images --help``.

Docker builds them where an engine answers, buildah elsewhere; both from the same Containerfiles.
Standard library only, because the tool runs before the virtual environment exists.
"""
