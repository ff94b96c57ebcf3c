"""What a model's answer would do: nothing of it leaves before it is decided.

==================  ==========================================================================
:mod:`.scene`       what an answer is judged against, and what it would do
:mod:`.withheld`    what is kept of a streamed choice until it is decided
:mod:`.gate`        decides about answers: alone, by the committee, or by people as well
:mod:`.committee`   asks the members, over the epochs
:mod:`.freezes`     what is frozen, as the members tell it
:mod:`.held`        actions that wait for people, and what people decided
:mod:`.denials`     what a client is told of an action that was not approved
:mod:`.record`      the audit record of a decision
==================  ==========================================================================

Everything that goes wrong on the way is a denial with its reason.
"""
