"""The sample company: runs an order process over time and writes what its systems would have sent.

`run.simulate` is the only entry point. Nothing here is read by the pipelines themselves.
"""
