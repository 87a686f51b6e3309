"""The contract of stores, run on every store."""

from __future__ import annotations

from store_contract import StoreContract


class TestStores(StoreContract):
    pass
