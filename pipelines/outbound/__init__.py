"""What leaves the house: rules to the order management system, reports by mail.

`push` joins the ledger and the OMS `oms` client, `rules_endpoint` is a reference OMS rule service,
`mail` delivers through the ledger's outbox, `catcher` is a local SMTP server for trying it out.
"""
