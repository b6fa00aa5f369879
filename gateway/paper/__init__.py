"""A local exchange that speaks Alpaca's wire protocol. It knows nothing of the gateway."""
