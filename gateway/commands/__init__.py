"""Intents. Each module is one thing the desk can be told to do, start to finish."""
