"""A parent order that is never sent, and the slices that are sent in its place."""
