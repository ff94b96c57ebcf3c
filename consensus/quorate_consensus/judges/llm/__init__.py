"""A language model's word, from any OpenAI-compatible endpoint, under a strict schema.

The endpoint may be slow, broken or hostile, and what it reads may be written to sway it. So: one
question without tools, one answer of a closed form that repeats a number drawn for this question
alone, all within a deadline and a bound on bytes; anything else is a DENY. Never hard.

Its own traffic never asks the committee again:

* a question is a plain completion without tools, so nothing in it is an action of a band that asks;
* it is sent with the member's own TLS certificate, by which a sidecar in front of a judge's model
  knows that the caller is a member, and decides alone; a header would be anybody's to set;
* and a member asked about a model that the release lists as a judge's does not ask that model: it
  denies, so that a wrong configuration ends after one step, where it can be seen.
"""

from quorate_consensus.judges.llm.judge import Endpoint, LlmJudge
from quorate_consensus.judges.llm.settings import LlmSettings, read_settings

__all__ = ["Endpoint", "LlmJudge", "LlmSettings", "read_settings"]
