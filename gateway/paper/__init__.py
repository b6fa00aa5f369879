"""A local exchange that speaks Alpaca's wire protocol. It knows nothing of the gateway.

The core is a fold of facts (`facts`, `world`) under durable turns (`kernel`, `journal`); orders enter at
the `exchange` desk and meet prices on the `floor`; `wire`, `hub` and `stream` are where faults strike.

What happens to accounts without a trade is the business of the `back_office`. docs/exchange.md has the
differences from the original; nothing here was checked against a live account.
"""
