"""What the clients do, written once as coroutines over either transport."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Callable, TypeVar

from . import rpc as api
from ._caller import Caller, Watch
from .durations import Time, duration, to_proto, words
from .errors import (
    ApplianceNotFound,
    LeaseLost,
    OperationFailed,
    PoolFailed,
    PoolNotFound,
    Refused,
    SproutError,
    Unreachable,
    WaitTimeout,
    WrongState,
)
from .models import PoolInfo, PoolState, pool_info
from .proto.sprout.appliance.v1 import appliance_pb2
from .proto.sprout.pool.v1 import pool_pb2
from .proto.sprout.workflow.v1 import workflow_pb2
from .rpc import Rpc

log = logging.getLogger("sprout_client")

Progress = Callable[[PoolInfo], None]
"""Is told about the pool each time it changed."""
Nap = Callable[[float], Awaitable[bool]]
"""Lets so many seconds pass; true if there is nothing more to do."""
T = TypeVar("T")

RELEASE_TIMEOUT = 10.0
RELEASE_PATIENCE = 20.0
OVER = timedelta(seconds=1)
FINAL = (pool_pb2.POOL_STATE_ENDED, pool_pb2.POOL_STATE_FAILED)


@asynccontextmanager
async def closing(iterator: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Ends the iterator with the block, and its stream with it."""
    try:
        yield iterator
    finally:
        await iterator.aclose()  # type: ignore[attr-defined]


def log_progress() -> Progress:
    """Logs each change once."""
    said: list[str] = []

    def tell(pool: PoolInfo) -> None:
        text = str(pool)
        if said != [text]:
            said[:] = [text]
            log.info("%s", text)

    return tell


async def list_pools(caller: Caller, request: pool_pb2.ListPoolsRequest) -> list[pool_pb2.Pool]:
    """All pages."""
    pools: list[pool_pb2.Pool] = []
    request.page_size = request.page_size or 1000
    while True:
        page = await caller.call(api.LIST_POOLS, request)
        pools.extend(page.pools)
        if not page.next_page_token:
            return pools
        request.page_token = page.next_page_token


async def list_appliances(caller: Caller, request: appliance_pb2.ListAppliancesRequest) -> list[appliance_pb2.Appliance]:
    """All pages."""
    appliances: list[appliance_pb2.Appliance] = []
    request.page_size = request.page_size or 1000
    while True:
        page = await caller.call(api.LIST_APPLIANCES, request)
        appliances.extend(page.appliances)
        if not page.next_page_token:
            return appliances
        request.page_token = page.next_page_token


def watch_pool(caller: Caller, pool: int, timeout: Time | None = None) -> AsyncIterator[pool_pb2.WatchPoolResponse]:
    """Each change of a pool, the pool as it is first, until it ended or failed."""
    watch = Watch(
        caller,
        api.WATCH_POOL,
        pool_pb2.WatchPoolRequest(id=pool),
        lambda last: last is not None and last.pool.state in FINAL,
    )
    return watch.messages(deadline(timeout))


async def wait_pool(caller: Caller, pool: int, timeout: Time | None = None, progress: Progress | None = None) -> pool_pb2.Pool:
    """Waits until a pool is ready. PoolFailed if it never will be."""
    tell = progress or log_progress()
    try:
        async with closing(watch_pool(caller, pool, timeout)) as changes:
            async for change in changes:
                seen = pool_info(change.pool)
                tell(seen)
                if seen.state is PoolState.READY:
                    return change.pool
                if seen.state in (PoolState.ENDING, PoolState.ENDED, PoolState.FAILED):
                    raise PoolFailed(seen)
    except WaitTimeout:
        waited = words(duration(timeout)) if timeout is not None else ""
        raise WaitTimeout(f"pool {pool} is not ready after {waited}; `sproutctl pool why {pool}` says why it waits") from None
    raise Unreachable(caller.server, f"the watch of pool {pool} ended before it was ready")


def deadline(timeout: Time | None) -> float | None:
    return None if timeout is None else time.monotonic() + duration(timeout).total_seconds()


async def operate(caller: Caller, rpc: Rpc[Any, Any], request: Any, wait: bool, timeout: Time | None) -> appliance_pb2.Appliance:
    """Begins something on an appliance, and waits until that is done."""
    answer = await caller.call(rpc, request)
    appliance: appliance_pb2.Appliance = answer.appliance
    if not wait or not answer.HasField("workflow_id"):
        return appliance
    watch = Watch(
        caller,
        api.WATCH_WORKFLOW,
        workflow_pb2.WatchWorkflowRequest(id=answer.workflow_id),
        lambda last: last is not None and last.workflow.HasField("finished_at"),
    )
    last: workflow_pb2.Workflow | None = None
    async with closing(watch.messages(deadline(timeout))) as changes:
        async for change in changes:
            last = change.workflow
    if last is None or last.state != workflow_pb2.WORKFLOW_STATE_SUCCEEDED:
        raise OperationFailed(
            f"{rpc.path.rsplit('/', 1)[-1]} of {appliance.name} failed: {last.error if last else 'nothing is known of it'}"
        )
    return await get_appliance(caller, appliance.id)


async def get_appliance(caller: Caller, appliance: int) -> appliance_pb2.Appliance:
    """The appliance as it is now."""
    return (await caller.call(api.GET_APPLIANCE, appliance_pb2.GetApplianceRequest(id=appliance))).appliance


async def hold(caller: Caller, appliance: int, reason: str, time: Time) -> appliance_pb2.Appliance:
    """Keeps it although its lease ends."""
    request = appliance_pb2.HoldApplianceRequest(id=appliance, reason=reason, time=to_proto(time))
    return (await caller.call(api.HOLD_APPLIANCE, request)).appliance


async def release(caller: Caller, request: pool_pb2.RequestPoolRequest, pool: int | None) -> list[int]:
    """Gives everything back but what somebody holds; returns what that is. A server that is away is waited for a while."""
    patience = time.monotonic() + RELEASE_PATIENCE
    while True:
        try:
            return await _release(caller, request, pool)
        except SproutError as error:
            after = (isinstance(error, Refused) and error.retry_after) or 1.0
            if not error.is_unavailable or time.monotonic() + after > patience:
                raise
            await caller.transport.sleep(after)


async def _release(caller: Caller, request: pool_pb2.RequestPoolRequest, pool: int | None) -> list[int]:
    if pool is None:
        # The answer was lost or not waited for. The same request says which pool it is, or makes one that nobody has seen: either is ended.
        pool = (await caller.call(api.REQUEST_POOL, request, repeat=False, timeout=RELEASE_TIMEOUT)).pool.id
    try:
        seen = (await caller.call(api.GET_POOL, pool_pb2.GetPoolRequest(id=pool), timeout=RELEASE_TIMEOUT)).pool
        held = [appliance.id for appliance in seen.appliances if appliance.HasField("held_until")]
        if not held or seen.state != pool_pb2.POOL_STATE_READY:
            await caller.call(api.KILL_POOL, pool_pb2.KillPoolRequest(id=pool), timeout=RELEASE_TIMEOUT)
            return []
    except PoolNotFound:
        log.debug("pool %d is gone already", pool)
        return []
    for appliance in seen.appliances:
        try:
            if appliance.id in held:
                # From now on only the hold keeps it, so that whoever ends the hold ends it.
                over = appliance_pb2.ExtendApplianceRequest(id=appliance.id, lease=to_proto(OVER))
                await caller.call(api.EXTEND_APPLIANCE, over, timeout=RELEASE_TIMEOUT)
            else:
                kill = appliance_pb2.KillApplianceRequest(id=appliance.id)
                await caller.call(api.KILL_APPLIANCE, kill, timeout=RELEASE_TIMEOUT)
        except (ApplianceNotFound, WrongState):
            log.debug("appliance %d is gone already", appliance.id)
    return held


async def keep_waiting(caller: Caller, pool: int, every: timedelta, nap: Nap) -> None:
    """Says again and again that somebody waits. One that gets lost does no harm: three fit the time."""
    pause = every.total_seconds() / 3
    while not await nap(pause):
        try:
            await caller.call(api.KEEP_POOL_ALIVE, pool_pb2.KeepPoolAliveRequest(id=pool), repeat=False, timeout=max(pause, 1.0))
        except SproutError as error:
            log.debug("pool %d could not be kept alive: %s", pool, error)


async def keep_lease(caller: Caller, pool: int, lease: timedelta, at_once: bool, nap: Nap) -> LeaseLost | None:
    """Extends a lease at its half, again and again. Returns why it was lost; none if there is nothing more to do."""
    length = lease.total_seconds()
    # The process's own clock only measures; the lease began before it was seen here, which its half leaves room for.
    ends = time.monotonic() + length
    pause = 0.0 if at_once else length / 2
    request = pool_pb2.ExtendPoolRequest(id=pool, lease=to_proto(lease))
    while not await nap(pause):
        began = time.monotonic()
        try:
            await caller.call(api.EXTEND_POOL, request, repeat=False, timeout=max(1.0, min(caller.settings.timeout, length / 6)))
        except SproutError as error:
            if isinstance(error, (PoolNotFound, WrongState)):
                return LeaseLost(f"the lease of pool {pool} was lost: {error}")
            left = ends - time.monotonic()
            if left <= 0:
                return LeaseLost(f"the lease of pool {pool} ran out before it could be extended: {error}")
            after = error.retry_after if isinstance(error, Refused) else None
            pause = min(max(after or 0.0, min(60.0, length / 12)), max(left, 0.1))
            log.warning(
                "the lease of pool %d could not be extended (%s); trying again in %.0f s, it ends in %.0f s",
                pool,
                error,
                pause,
                left,
            )
        else:
            ends, pause = began + length, length / 2
            log.debug("the lease of pool %d was extended", pool)
    return None
