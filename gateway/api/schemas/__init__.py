"""The bodies of requests and responses, in the public names. Every key of a response is always there."""
