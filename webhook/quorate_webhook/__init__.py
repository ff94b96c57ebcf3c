"""The admission webhook: mutates and validates pods from a cache, without network calls."""
