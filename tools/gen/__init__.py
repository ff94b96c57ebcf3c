"""Generates what is derived from the models: CRDs, the chart's floor, the API reference."""
