"""Evidence formats, a folder each: parse strictly, verify, and say what was proven.

Nothing here decides: whether proven facts are enough is the policy's question.
"""
