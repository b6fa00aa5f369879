"""Streams of typed events; the only room that knows `eventsourcing`."""
