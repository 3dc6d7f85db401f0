"""Rule sets: what the OMS should keep back, prefer and limit; how two of them differ; what a plan makes of them.

Deciding who gets which unit is `optimizer.allocation`; trying a rule set on history is `optimizer.replay`.
"""
