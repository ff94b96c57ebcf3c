"""The safety gate of the first example: asks a model fixed questions and judges its answers.

`suite` holds the tests and their thresholds, `dataset` the questions, `judge` compares, `report`
writes what a gate can be signed over.
"""
