"""The composition root: settings in, adapters built, rooms hung together, one process started and stopped."""
