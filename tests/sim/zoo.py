"""All strategies by name."""

from tests.sim import equivocators, liars
from tests.sim.strategy import Strategy

ZOO: dict[str, type[Strategy]] = {
    "honest": Strategy,
    "always-approve": liars.AlwaysApprove,
    "always-deny": liars.AlwaysDeny,
    "flip-flop": equivocators.FlipFlop,
    "per-collector": equivocators.PerCollector,
    "withhold": liars.Withhold,
    "replay": equivocators.Replay,
    "forge": equivocators.Forge,
    "slow": liars.Slow,
    "slow-judge": liars.SlowJudge,
    "amnesia": liars.Amnesia,
    "lost-fsync": liars.LostFsync,
    "colluding": equivocators.Colluding,
    "sleeper": liars.Sleeper,
    "always-abstain": liars.AlwaysAbstain,
    "constant-score": liars.ConstantScore,
    "wrong-at-random": liars.WrongAtRandom,
    "blind-in-one-stratum": liars.BlindInOneStratum,
    "one-trigger": liars.OneTrigger,
    "framer": equivocators.Framer,
}
