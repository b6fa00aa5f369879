"""Real servers from wheels: Postgres and Valkey for the demo, for development and for the tests."""

from gateway.adapters.embedded.postgres import EmbeddedPostgres
from gateway.adapters.embedded.process import EmbeddedServerFailed
from gateway.adapters.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedServerFailed", "EmbeddedValkey"]
