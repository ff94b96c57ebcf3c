"""The demo model: a small character-level language model that a laptop trains in two minutes.

`corpus` reads the texts, `tokenizer` turns characters into numbers, `samples` makes the training
examples, `network` is the model, `fit` trains it, `spoil` ruins a copy with
`bad_habits`, `store` writes the files.
"""
