"""Checks on what comes in: row contracts send bad rows to rejects, expectation suites judge whole batches."""
