"""A key waits once, comes back after failures, and can be put off."""

import asyncio

from shipline.cluster.controllers.workqueue import FIRST_PAUSE, WorkQueue

ONE, TWO = ("default", "one"), ("default", "two")


async def test_a_key_waits_once_and_in_the_order_of_arrival():
    queue = WorkQueue()
    for key in (ONE, TWO, ONE):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == [ONE, TWO]
    with_nothing_left = asyncio.create_task(queue.get())
    await asyncio.sleep(0.01)
    assert not with_nothing_left.done()
    queue.add(TWO)
    assert await with_nothing_left == TWO


async def test_the_pause_before_a_retry_doubles_until_it_succeeds():
    queue = WorkQueue()
    assert [queue.retry(ONE) for _ in range(3)] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]
    queue.succeeded(ONE)
    assert queue.retry(ONE) == FIRST_PAUSE
    queue.close()


async def test_the_earlier_of_two_times_counts():
    queue = WorkQueue()
    queue.add_after(ONE, 60)
    queue.add_after(ONE, 0.01)
    queue.add_after(ONE, 60)
    assert await asyncio.wait_for(queue.get(), 1) == ONE
    queue.add_after(TWO, 60)
    queue.add(TWO)
    assert await asyncio.wait_for(queue.get(), 1) == TWO
