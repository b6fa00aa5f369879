"""One symbol: reserved, filled, quarantined, adjusted, split."""
