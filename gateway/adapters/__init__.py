"""The outside world. Only the composition root imports this package."""
