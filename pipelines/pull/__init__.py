"""Pulls: what APIs give when asked. Pages are made durable one by one, then land as any file does.

definition  what a feed is (YAML): where to ask, how to page, what is new
client      one request until it is answered: time-outs, retries, rate limits
paging      from one page to the next
state       how far a feed has come; survives a kill at any instant
feeds       the feeds of a workspace
run         pull one feed
"""
