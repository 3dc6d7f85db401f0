"""Trying two rule sets on the same history: what would each have shipped, and is the difference more than chance?

`replay` in `run.py` is the way in. What it leaves out is listed there.
"""
