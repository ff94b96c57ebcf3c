"""What can be told of a text without a model: credentials and personal data, by their form.

Patterns are data: expressions with bounds, and a second look at each match. Who searches with them
brings the engine.
"""
