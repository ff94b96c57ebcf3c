"""Configurations that break the rules, for tests that show what the rules are for."""

from dataclasses import replace

import msgspec

from quorate.consensus.epoch import Epoch
from quorate.consensus.thresholds import Thresholds, Tier
from tests.sim.asker import Asker
from tests.sim.network import Cut
from tests.sim.plan import Focus, Plan
from tests.sim.requests import Truth


def quarrel(seed: int, thresholds: Thresholds, strategies: dict[str, str]) -> Plan:
    """Two enforcement points ask about the same matters of opinion, in a calm world."""
    return Plan(
        seed=seed,
        thresholds=thresholds,
        focus=Focus.DECISIONS,
        strategies=strategies,
        asks=4,
        truths=(Truth.OPEN,),
        tiers=(Tier.STRICT,),
        shared=1.0,
    )


def forgetful(seed: int) -> Plan:
    """A member that everybody takes for honest loses its store and keeps its key, twice."""
    plan = quarrel(seed, Thresholds(n=5, fast=3, strict=4, r=1), {"m0": "amnesia"})
    crashes = ((0.6, "m0"), (1.2, "m0"))
    return replace(plan, asks=8, crashes=crashes, calm=False, believed=True)


def divided(seed: int) -> Plan:
    """Two of five, one of them a liar, and one enforcement point are cut off from the rest."""
    thresholds = Thresholds(n=5, fast=3, strict=4, r=1)
    plan = quarrel(seed, thresholds, {"m0": "always-approve"})
    here = ("m0", "m1", "asker-0")
    there = ("m2", "m3", "m4", "asker-1")
    cuts = (Cut(0.0, 60.0, here, there), Cut(0.0, 60.0, there, here))
    return replace(plan, cuts=cuts, calm=False)


def misled(seed: int) -> Plan:
    """The API server keeps a certified record back, and administrators recover without it."""
    plan = quarrel(seed, Thresholds(n=5, fast=3, strict=4, r=1), {})
    proposals = ("policies", "recover")
    return replace(plan, hostile_api=True, reckless=True, calm=False, proposals=proposals)


class FloatingAsker(Asker):
    """Takes its quorums from the members it can reach, as one must not."""

    @property
    def epoch(self) -> Epoch:
        """The epoch with thresholds for whoever is there."""
        network = self.scene.network
        members = self.scene.plan.members
        reached = [name for name in members if not network.is_cut(self.name, name)]
        majority = len(reached) // 2 + 1
        thresholds = Thresholds(n=len(reached), fast=majority, strict=majority, r=0)
        record = msgspec.structs.replace(self.scene.genesis.record, thresholds=thresholds)
        return replace(self.scene.genesis, record=record)

    @epoch.setter
    def epoch(self, epoch: Epoch) -> None:
        """Nothing follows the genesis here."""
