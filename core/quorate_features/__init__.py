"""Requests and texts as numbers: what training makes and judges use, by the same code.

=====================  ==================================================================
:mod:`.shingles`       hashes of a text's n-grams
:mod:`.linear`         a linear model over them: its file, its score
:mod:`.sketches`       bottom-k sketches of known texts, and how much of one is in another
:mod:`.population`     features of a request, and how unlike a population it is
:mod:`.conformal`      p-values from a calibration set
=====================  ==================================================================

numpy and nothing else; loaded by committee members and by training only.
"""
