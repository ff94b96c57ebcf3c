"""Readers of other tools' report files: hostile input, bounded, counted again from the scores."""
