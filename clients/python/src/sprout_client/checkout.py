"""Appliances for the time of a `with` block."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Callable

from . import _work
from . import rpc as api
from ._request import lease_of
from ._signals import Signals
from ._transport import run
from .durations import Time
from .errors import LeaseLost, Refused, SproutError, Unreachable
from .models import PoolInfo, pool_info
from .proto.sprout.pool.v1 import pool_pb2

if TYPE_CHECKING:
    from .client import Appliance, SproutClient

log = _work.log


class Checkout:
    """A pool that is waited for, kept and given back. Made by `SproutClient.checkout`.

    However the block is left (an exception, Ctrl-C, SIGTERM, SIGHUP), the appliances are given back. If the process is killed, a request
    that still waits is dropped after its keep-alive time, and the lease ends by itself.
    """

    on_lost: Callable[[LeaseLost], None] | None = None
    """Is called, from another thread, when the lease was lost."""
    on_signal: Callable[[int], None] | None = None
    """Is called on SIGTERM and SIGHUP, where nobody else handles them; without it they raise SystemExit."""

    def __init__(
        self,
        client: SproutClient,
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
        self._keeper: Keeper | None = None
        self._signals = Signals()
        self.lost: LeaseLost | None = None
        """Why the lease was lost, if it was."""

    # What it has.

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
    def appliances(self) -> Sequence[Appliance]:
        """The appliances, in the same order each time."""
        found = [self._client._appliance(it) for it in self._ready().appliances]
        return sorted(found, key=lambda appliance: appliance.id)

    @property
    def message(self) -> pool_pb2.Pool:
        """The pool in the protocol's own words."""
        return self._ready()

    @property
    def is_acquired(self) -> bool:
        """Whether there is a pool."""
        return self._pool is not None

    def __iter__(self) -> Iterator[Appliance]:
        return iter(self.appliances)

    def __getitem__(self, index: int) -> Appliance:
        return self.appliances[index]

    def __len__(self) -> int:
        return len(self._ready().appliances)

    def _ready(self) -> pool_pb2.Pool:
        if self._pool is None:
            raise RuntimeError("nothing is checked out: use `with client.checkout(…) as pool`, or call acquire() first")
        return self._pool

    # What can be done with it.

    def __enter__(self) -> Checkout:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if error is None:
            self.release()
        else:
            self._release_after(error)

    def acquire(self) -> Checkout:
        """Requests the pool and waits until it is ready. If that fails, nothing of it is left behind."""
        if self._was_sent or self._is_released:
            raise RuntimeError("a checkout is for once; make another one")
        self._signals = Signals(self.on_signal)
        self._signals.take()
        atexit.register(self._at_exit)
        try:
            self._acquire()
        except BaseException as error:
            self._release_after(error)
            raise
        return self

    def _acquire(self) -> None:
        caller = self._client.caller
        self._was_sent = True
        try:
            answer = self._client.call(api.REQUEST_POOL, self._request)
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
            with self._waiting(pool.id):
                pool = run(_work.wait_pool(caller, pool.id, self._timeout, self._progress))
            self._pool = pool
        elif self._progress is not None:
            self._progress(pool_info(pool))
        if self._request.count > 0:
            self._keeper = self._lease_keeper(pool, answer.repeated_request)

    def _waiting(self, pool: int) -> Keeper:
        caller, keep_alive = self._client.caller, self._request.keep_alive.ToTimedelta()

        def work(keeper: Keeper) -> None:
            if keep_alive:
                run(_work.keep_waiting(caller, pool, keep_alive, keeper.nap))

        return Keeper(f"sprout-waiting-{pool}", work)

    def _lease_keeper(self, pool: pool_pb2.Pool, at_once: bool) -> Keeper:
        def work(keeper: Keeper) -> None:
            lost = run(_work.keep_lease(self._client.caller, pool.id, lease_of(pool), at_once, keeper.nap))
            if lost is not None and not keeper.is_stopped:
                log.error("%s", lost)
                self.lost = lost
                if self.on_lost is not None:
                    self.on_lost(lost)

        return Keeper(f"sprout-lease-{pool.id}", work)

    def release(self) -> None:
        """Gives everything back but what somebody holds. Repeating it does nothing."""
        if self._is_released:
            return
        self._is_released = True
        try:
            if self._keeper is not None:
                self._keeper.stop()
            if self._was_sent:
                self._finish()
        finally:
            self._signals.restore()
            atexit.unregister(self._at_exit)

    def _finish(self) -> None:
        """In a thread of its own, which a Ctrl-C in the midst of it does not end; a second one does not wait for it."""
        pool = self._pool.id if self._pool is not None else None
        failed: list[SproutError] = []

        def work() -> None:
            try:
                self._tell(run(_work.release(self._client.caller, self._request, pool)))
            except SproutError as error:
                failed.append(error)
            finally:
                finished.set()

        finished = threading.Event()
        thread = threading.Thread(target=work, name="sprout-release")
        try:
            thread.start()
        except RuntimeError:
            work()  # the interpreter is ending, and starts no threads any more
        else:
            _wait(finished)
        if failed:
            raise failed[0]

    def _tell(self, held: list[int]) -> None:
        kept = f"; held, and so kept: {', '.join(map(str, held))}" if held else ""
        log.info("pool %s: given back%s", self._pool.id if self._pool is not None else "", kept)

    def _release_after(self, error: BaseException) -> None:
        """The error that was there first is the one to tell."""
        try:
            self.release()
        except SproutError as second:
            log.error(  # noqa: TRY400 - one line is what people read
                "the pool could not be given back after %s: %s; its lease ends by itself", type(error).__name__, second
            )

    def _at_exit(self) -> None:
        self._release_after(SystemExit())


class Keeper:
    """A thread that does something in the background until it is stopped."""

    def __init__(self, name: str, work: Callable[[Keeper], None]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=work, args=(self,), name=name, daemon=True)
        self._thread.start()

    async def nap(self, seconds: float) -> bool:
        """Lets time pass; true once it is stopped."""
        return self._stop.wait(seconds)

    @property
    def is_stopped(self) -> bool:
        """Whether it is."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stops it; a call that is under way ends by itself."""
        self._stop.set()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _wait(finished: threading.Event) -> None:
    """Not `join`: interrupted, it would take the thread for ended."""
    interrupted: BaseException | None = None
    while not finished.is_set():
        try:
            finished.wait()
        except (KeyboardInterrupt, SystemExit) as again:
            if interrupted is not None:
                raise
            interrupted = again
            log.warning("giving the appliances back first; once more to leave without waiting for that")
    if interrupted is not None:
        raise interrupted
