"""At-risk prediction: how likely an open line misses each lens, learned from how long its stages took before.

    history = History.from_frames(milestones, deadlines, stock)   # what happened, and when it could be known
    learner = Learner(history)
    why_not = learner.too_thin(as_of)                             # a reason, or nothing
    model = learner.model(as_of)                                  # knows what was known at that instant only
    lines = act(model, model.predict(learner.open_lines(as_of)))  # probability, reason, next step and its effect
    others = other_services(learner, model, lines, rates, atp)    # what another service or node would make of it
    lines = choose(lines, others)                                 # with what a miss costs: the better of both
    rows = judge(learner, as_of, weeks=6)                         # held-out weeks, each predicted from before it

Belongs here: stage-time curves, calibration, judging, next steps.
Not here: files, tables, screens, and what a milestone means (models/marts/risk).
"""

from __future__ import annotations

from optimizer.risk.actions import act
from optimizer.risk.history import History
from optimizer.risk.judge import judge, reliability, scores
from optimizer.risk.model import Learner, RiskModel
from optimizer.risk.services import choose, other_services

__all__ = ["History", "Learner", "RiskModel", "act", "choose", "judge", "other_services", "reliability", "scores"]
