"""Compiled kernels for large allocation problems: arrays in, a plan with a certified bound out.

`problem.py` is the array interface (no polars, no solver, no numba), `compile.py` makes it from a `plan.Problem`,
`engine.py` solves it, `check.py` re-checks every plan in plain numpy. METHODS.md says how and why.
Importing this package imports neither numba nor a solver.
"""
