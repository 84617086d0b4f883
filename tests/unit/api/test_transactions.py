"""Where no transaction is open nothing waits; what happens in one is tested with the database."""

import asyncio

from asgiref.sync import async_to_sync

from wamp_transport.api.transactions import arun_after_commit, run_after_commit


def fail():
    raise AssertionError("it was called")


def test_without_a_transaction_nothing_waits():
    assert not run_after_commit(fail, None)


def test_coroutine_on_its_own_has_no_transaction():
    assert asyncio.run(arun_after_commit(fail, None)) is False


def test_coroutine_that_sync_code_waits_for_looks_at_its_transactions():
    assert async_to_sync(arun_after_commit)(fail, None) is False
