"""How risky an action is, and so who decides about it: pure, by declared signals and the policies.

====================  ========================================================================
:mod:`.rules`         what policies say: tools and their classes, weights, floors
:mod:`.score`         an action's signals, its score in thousandths and its band
:mod:`.route`         tier, budget, veto and human of each band
:mod:`.actions`       what a model's answer would do, and the request that asks about each of it
====================  ========================================================================

What a conversation says never lowers a risk: signals add, policies raise, and what nobody declared
is high.
"""
