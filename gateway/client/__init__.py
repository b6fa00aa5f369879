"""A client for strategies and operators. It knows the API and nothing of the server behind it."""

from gateway.client.async_client import AsyncClient
from gateway.client.client import Client
from gateway.client.patience import Patience
from gateway.client.problems import (
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    NoAnswer,
    NotFound,
    Problem,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unreadable,
)
from gateway.client.proofs import BearerToken, ServiceSignature

__all__ = [
    "AsyncClient",
    "BearerToken",
    "Client",
    "ClientError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NoAnswer",
    "NotFound",
    "Patience",
    "Problem",
    "RateLimited",
    "ServiceSignature",
    "Unauthenticated",
    "Unavailable",
    "Unreadable",
]
