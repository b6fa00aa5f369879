"""The application: every route of the service over one house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from gateway.api import errors
from gateway.api.deps import House
from gateway.api.document.building import document
from gateway.api.middleware import Envelope, ProxyHeaders
from gateway.api.routes import ROUTERS

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Application(FastAPI):
    """FastAPI, with the document that says all of what is answered."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = document(self.version)
        return self.openapi_schema


def create_app(
    house: House, *, lifespan: Lifespan | None = None, trusted_proxies: Sequence[str] = ("127.0.0.1",)
) -> FastAPI:
    """Hang the routes over a house. Documentation is served in dev and test only."""
    open_docs = house.about.is_relaxed
    app = Application(
        title="Execution gateway",
        version=house.about.version,
        lifespan=lifespan,
        redirect_slashes=False,
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
