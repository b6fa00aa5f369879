"""A local exchange that speaks Alpaca's wire protocol. It knows nothing of the gateway.

The core is a fold of facts (`facts`, `world`) under durable turns (`kernel`, `journal`); orders enter at
the `exchange` desk and meet prices on the `floor`; `wire`, `hub` and `stream` are where faults strike.

Differences from the original, by design: simple orders only (no notional, trailing, opening, closing or
multi-leg orders), no fees, dividends or borrow costs, no holidays, flat margin rates, no hidden liquidity.
Nothing here was checked against a live account.
"""
