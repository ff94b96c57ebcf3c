"""Data flow: where the arguments of an action come from, and where secrets go.

=======================  =========================================================  ==============
finding                  what flows where                                           what it is
=======================  =========================================================  ==============
UntrustedArguments       what an untrusted result says, into the arguments of an     DENY
                         action whose class takes none of it (``any``)
UntrustedDestination     an address, host, account or number that only an untrusted  DENY
                         result names, into the arguments (``any``, ``destination``)
NamedByResult            the tool itself is named by an untrusted result and by      DENY, not hard
                         nobody who is trusted
SecretFlowsOut           a credential, or what a secret tool answered, whole, in     DENY, or a note
                         part, encoded, or piece by piece over several calls
InstructionsFlowOut      a passage of the system's or developer's instructions       DENY, or a note
OriginsOmitted           the beginning of the conversation is not here, and the      DENY, not hard
                         class would have to know it
UntrustedContent         what an untrusted result says, into a class that notes it   a note
=======================  =========================================================  ==============

What the user, the system or the developer says is trusted; what a tool answers is not, unless the
signed table lists the tool; what the assistant says is neither: its words are not a source. The
table gives each action class its row; a class without one is held to the strictest.

Not seen: a value that the model computed or described in other words; a secret without a form that
came from a tool that is not listed; a flow through another conversation.
"""

from quorate_consensus.judges.tools.judge import ToolsJudge
from quorate_consensus.judges.tools.table import Table, read_table

__all__ = ["Table", "ToolsJudge", "read_table"]
