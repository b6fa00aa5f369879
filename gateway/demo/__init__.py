"""A trading day in under a minute, on the real path over HTTP, with everything going wrong that can."""
