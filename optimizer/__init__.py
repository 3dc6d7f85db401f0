"""Decisions: frames in, frames out. No file, no database, no screen, and nothing from the other rooms.

- `optimizer.allocation`: which order line gets which units (`allocate`, `baseline`, `compare`)
- `optimizer.rules`: rule sets, their differences, and the proposal that a plan implies
- `optimizer.replay`: what another rule set would have done to past orders
"""
