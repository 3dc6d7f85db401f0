"""Webhooks: what systems push. A message is checked, made durable, and only then answered; landing comes later.

providers   how each sender signs, names and dates its messages
spool       the durable queue (SQLite): every accepted message once
receiver    the HTTP service
drain       from the queue through landing into the database
"""
