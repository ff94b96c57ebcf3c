"""A member's judges: different sets for different members, so that their faults are their own.

=================  ===========================================================================
:mod:`.panel`      what a server calls: one judgement of all judges, in time
:mod:`.opinion`    what a judge is, and what it says
:mod:`.release`    what judges go by: thresholds, tables and models, by digest
:mod:`.sets`       which judges go together in one member
:mod:`.evidence`   the model holds its policies: verified again, from the documents
:mod:`.rules`      conditions and patterns that people wrote
:mod:`.classifier` a linear model of character n-grams
:mod:`.anomaly`    how unlike a population of known requests it is
:mod:`.tools`      where the arguments of an action come from, and where secrets go
:mod:`.history`    how much of a recorded incident is in it
:mod:`.llm`        a language model's word, under a strict schema
=================  ===========================================================================

Nothing here learns: what a judge goes by comes from the release, and only people change that.
"""
