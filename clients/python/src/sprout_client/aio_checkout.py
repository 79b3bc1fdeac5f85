"""Appliances for the time of an `async with` block."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable

from . import _work
from . import rpc as api
from ._request import lease_of
from .durations import Time
from .errors import LeaseLost, Refused, SproutError, Unreachable
from .models import PoolInfo, pool_info
from .proto.sprout.pool.v1 import pool_pb2

if TYPE_CHECKING:
    from .aio import AsyncAppliance, AsyncSproutClient

log = _work.log


class AsyncCheckout:
    """A pool that is waited for, kept and given back. Made by `AsyncSproutClient.checkout`; as `Checkout`, for asyncio.

    SIGTERM and SIGHUP cancel the task that is in the block, where nobody else handles them.
    """

    on_lost: Callable[[LeaseLost], None] | None = None
    """Is called when the lease was lost."""

    def __init__(
        self,
        client: AsyncSproutClient,
        request: pool_pb2.RequestPoolRequest,
        *,
        timeout: Time | None = None,
        progress: _work.Progress | None = None,
    ) -> None:
        self._client = client
        self._request = request
        self._timeout, self._progress = timeout, progress
        self._pool: pool_pb2.Pool | None = None
        self._was_sent = self._is_released = False
        self._keeper: asyncio.Task[None] | None = None
        self._signals: list[signal.Signals] = []
        self._signalled: signal.Signals | None = None
        self.lost: LeaseLost | None = None
        """Why the lease was lost, if it was."""

    @property
    def info(self) -> PoolInfo:
        """The pool as it was when it got ready."""
        return pool_info(self._ready())

    @property
    def id(self) -> int:
        """The pool's id."""
        return self._ready().id

    @property
    def request_id(self) -> str:
        """Id of the request: the same one gives the same pool."""
        return self._request.request_id

    @property
    def appliances(self) -> Sequence[AsyncAppliance]:
        """The appliances, in the same order each time."""
        found = [self._client._appliance(it) for it in self._ready().appliances]
        return sorted(found, key=lambda appliance: appliance.id)

    def __iter__(self) -> Iterator[AsyncAppliance]:
        return iter(self.appliances)

    def __getitem__(self, index: int) -> AsyncAppliance:
        return self.appliances[index]

    def __len__(self) -> int:
        return len(self._ready().appliances)

    def _ready(self) -> pool_pb2.Pool:
        if self._pool is None:
            raise RuntimeError("nothing is checked out: use `async with client.checkout(…) as pool`, or await acquire() first")
        return self._pool

    async def __aenter__(self) -> AsyncCheckout:
        return await self.acquire()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if error is None:
            await self.release()
        else:
            await self._release_after(error)
        self._end_as_signalled(error)

    async def acquire(self) -> AsyncCheckout:
        """Requests the pool and waits until it is ready. If that fails, nothing of it is left behind."""
        if self._was_sent or self._is_released:
            raise RuntimeError("a checkout is for once; make another one")
        self._take_signals()
        try:
            await self._acquire()
        except BaseException as error:
            await self._release_after(error)
            self._end_as_signalled(error)
            raise
        return self

    async def _acquire(self) -> None:
        caller = self._client.caller
        self._was_sent = True
        try:
            answer = await self._client.call(api.REQUEST_POOL, self._request)
        except Refused as error:
            # It said no, so there is nothing to give back; unless that was the answer to a later try.
            self._was_sent = error.is_unavailable
            raise
        except Unreachable as error:
            self._was_sent = not error.unsent
            raise
        pool = answer.pool
        self._pool = pool
        log.info("pool %d: requested%s", pool.id, " before, with this request id" if answer.repeated_request else "")
        if pool.state != pool_pb2.POOL_STATE_READY and self._request.count > 0:
            keep_alive = self._request.keep_alive.ToTimedelta()
            waiting = asyncio.ensure_future(_work.keep_waiting(caller, pool.id, keep_alive, nap)) if keep_alive else None
            try:
                pool = await _work.wait_pool(caller, pool.id, self._timeout, self._progress)
            finally:
                if waiting is not None:
                    waiting.cancel()
            self._pool = pool
        elif self._progress is not None:
            self._progress(pool_info(pool))
        if self._request.count > 0:
            self._keeper = asyncio.ensure_future(self._keep(pool, answer.repeated_request))

    async def _keep(self, pool: pool_pb2.Pool, at_once: bool) -> None:
        lost = await _work.keep_lease(self._client.caller, pool.id, lease_of(pool), at_once, nap)
        if lost is not None:
            log.error("%s", lost)
            self.lost = lost
            if self.on_lost is not None:
                self.on_lost(lost)

    async def release(self) -> None:
        """Gives everything back but what somebody holds. Repeating it does nothing."""
        if self._is_released:
            return
        self._is_released = True
        if self._keeper is not None:
            self._keeper.cancel()
        pool = self._pool.id if self._pool is not None else None
        try:
            if self._was_sent:
                await _to_its_end(_work.release(self._client.caller, self._request, pool))
                log.info("pool %s: given back", pool or "")
        finally:
            self._restore_signals()

    async def _release_after(self, error: BaseException) -> None:
        """The error that was there first is the one to tell."""
        try:
            await self.release()
        except SproutError as second:
            log.error(  # noqa: TRY400 - one line is what people read
                "the pool could not be given back after %s: %s; its lease ends by itself", type(error).__name__, second
            )

    def _take_signals(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is None or threading.current_thread() is not threading.main_thread():
            return

        def cancel(number: signal.Signals) -> None:
            self._signalled = number
            task.cancel()

        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                try:
                    loop.add_signal_handler(number, cancel, number)
                except NotImplementedError:  # Windows' loops have none
                    return
                self._signals.append(number)

    def _restore_signals(self) -> None:
        for number in self._signals:
            asyncio.get_running_loop().remove_signal_handler(number)
        self._signals.clear()

    def _end_as_signalled(self, error: BaseException | None) -> None:
        if self._signalled is not None and isinstance(error, asyncio.CancelledError):
            raise SystemExit(128 + self._signalled)


async def nap(seconds: float) -> bool:
    """Lets time pass; what naps is cancelled when there is nothing more to do."""
    await asyncio.sleep(seconds)
    return False


async def _to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """A cancellation in the midst of it does not end it; a second one does not wait for it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            await asyncio.shield(task)
        raise
