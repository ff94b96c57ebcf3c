"""A committee's protocol as pure state machines: ``step(state, event) -> (state, effects)``.

========================  ====================================================================
:mod:`.thresholds`        n, q and r, and the rule that quorums intersect
:mod:`.wire`              the messages of a decision
:mod:`.signing`           votes and the delegations of the keys that cast them
:mod:`.ask`               the asker's side: broadcast, collect, end in time
:mod:`.asker`             whose an ask is: its audience, and what a freeze must name
:mod:`.member`            a member's side: judge, keep, say
:mod:`.approval`          votes enough to act on, verified by anyone
:mod:`.epoch`             what is in force: members, keys, thresholds
:mod:`.succession`        which record may follow, and whose signatures it needs
:mod:`.history`           the epochs somebody knows, and whose word they took away
:mod:`.chain`             a member's side of that: one choice for each number
:mod:`.successors`        the records that people may propose after a head, made from it
:mod:`.spare`             the record by which a spare takes a liar's seat
:mod:`.draft`             a record that administrators sign one after the other, offline
:mod:`.difference`        what a record changes, in words
:mod:`.provenance`        a chain told epoch by epoch: what each did, and who signed
:mod:`.margin`            what the thresholds mean, and what is left of them
:mod:`.freeze`            the kill switch: set at once, released by a record
:mod:`.canary`            requests whose right answer was committed to beforehand
:mod:`.blank`             requests that leave open whose they are: what canaries are made of
:mod:`.deck_file`         a deck of canaries in a file
:mod:`.detector`          members that are wrong too often
:mod:`.dependence`        members that err together
:mod:`.judge_errors`      what the sets of judges that ship approve together
:mod:`.equivocation`      members that say two things
:mod:`.quarantine`        the record that takes a vote away, and what it rests on
:mod:`.clean_run`         canaries that speak for such a member, before its vote counts again
========================  ====================================================================

Clock, randomness, network and disk are the caller's: times come in as arguments, signatures and the
store are ports. ``tests/sim`` runs these same machines in a simulated world.
"""
