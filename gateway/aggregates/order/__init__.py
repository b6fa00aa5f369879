"""One order, from ticket to last bust."""
