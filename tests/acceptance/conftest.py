"""The rows are shown on the same whole gateway as the contract."""

from tests.contract.conftest import clock, create_test_app, exchange, exchange_process, house

__all__ = ["clock", "create_test_app", "exchange", "exchange_process", "house"]
