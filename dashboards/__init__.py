"""What people see: KPI queries, charts, pages and the weekly report.

Everything here reads the published copy of the marts and writes nothing to the warehouse. The queries are shared with
the command line, so a figure on a page and the same figure in a terminal cannot differ.
"""
