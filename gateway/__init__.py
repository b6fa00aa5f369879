"""An execution gateway whose only memory is a ledger of events."""

__version__ = "0.1.0"
