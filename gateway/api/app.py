"""The application: every route of the service over one house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from gateway.api import errors
from gateway.api.deps import House
from gateway.api.middleware import Envelope, ProxyHeaders
from gateway.api.routes import ROUTERS

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    house: House, *, lifespan: Lifespan | None = None, trusted_proxies: Sequence[str] = ("127.0.0.1",)
) -> FastAPI:
    """Hang the routes over a house. Documentation is served in dev and test only."""
    open_docs = house.about.is_relaxed
    app = FastAPI(
        title="Execution gateway",
        version=house.about.version,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        docs_url="/docs" if open_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if open_docs else None,
        middleware=[
            Middleware(ProxyHeaders, house=house, trusted=list(trusted_proxies)),
            Middleware(Envelope, house=house),
        ],
    )
    app.state.desk = house
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
