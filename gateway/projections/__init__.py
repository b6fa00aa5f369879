"""Answers. Each module is one question asked of the ledger, kept ready in a table."""
