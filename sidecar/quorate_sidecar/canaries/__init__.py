"""Looking for members that lie: what they say is watched, and known answers are asked for.

====================  ==========================================================================
:mod:`.witness`       hears every vote: pairs that contradict each other, and votes on canaries
:mod:`.asker`         asks the canaries of a deck, one after the other, at random times
:mod:`.deck`          the deck in the pod's volume
:mod:`.progress`      how far the deck was asked, kept over restarts
:mod:`.accuser`       brings what convicts a member to all of them
:mod:`.shadow`        asks members under quarantine the same, and brings what speaks for them
:mod:`.clean`         the canaries that such a member answered rightly, one after the other
====================  ==========================================================================

Every sidecar is a witness; the asker runs in pods that name a deck.
"""
