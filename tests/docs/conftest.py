"""The pages are run against the same whole gateway as the contract."""

from tests.contract.conftest import create_test_app, exchange, exchange_process

__all__ = ["create_test_app", "exchange", "exchange_process"]
