"""Looking at the outside world before trusting it: each answer comes with what to do next."""

from gateway.adapters.examine.broker import examine_broker
from gateway.adapters.examine.finding import Finding
from gateway.adapters.examine.postgres import examine_postgres, examine_projections_login
from gateway.adapters.examine.redis_server import examine_redis

__all__ = ["Finding", "examine_broker", "examine_postgres", "examine_projections_login", "examine_redis"]
