"""Reservations and safety stock as decisions: from demand history to units kept back, judged by regret.

    history = History.from_frames(demand, economics)           # what was asked, what a lost unit costs
    chosen = decide(history, stock, as_of=monday)              # reserves per SKU and channel, safety stock
    regret_curve(history, stock, chosen, as_of=monday)         # service against stranded stock as buffers vary
    judge(history, stocks, weeks=[...])                        # held-out weeks: ours, fixed share, averages, hindsight
    worthless(history, stocks, reserves, weeks=[...])          # buffers that protected nothing

Belongs here: choosing quantities. Not here: rules as documents (optimizer/rules), files, ledger.
"""

from __future__ import annotations

from optimizer.buffers.decide import Chosen, decide, regret_curve
from optimizer.buffers.history import History
from optimizer.buffers.judge import judge, worthless

__all__ = ["Chosen", "History", "decide", "judge", "regret_curve", "worthless"]
