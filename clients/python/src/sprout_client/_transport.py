"""How calls travel: over grpc, blocking, or over grpc.aio. The rest is written once, as coroutines over this.

A coroutine over the blocking transport never suspends, so `run` takes it to its end in one go.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, Callable, Generic, Optional, Protocol, TypeVar, cast

import grpc
import grpc.aio
from grpc.aio import EOF  # type: ignore[attr-defined] # it is there

from .rpc import Req, Res, Res_co, Rpc
from .settings import Address, Settings, addresses, credentials

T = TypeVar("T")
Metadata = tuple[tuple[str, str], ...]

OPTIONS = (
    # A silent connection is asked for a sign of life this often, and given up when none comes for as long again.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A connection may take this long to be made, and a server that is back is found again soon.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # What is sent again, and when, is for this package to say.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # As the other clients: straight to the server.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


class Stream(Protocol[Res_co]):
    """Messages of a server."""

    async def read(self) -> Res_co | None:
        """The next one; None after the last."""

    def cancel(self) -> None:
        """Nobody reads it any more."""


class Transport(Protocol):
    """What calls travel over. Each takes the number of the server to call. What fails is a `grpc.RpcError`."""

    servers: list[Address]

    async def unary(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float) -> Res:
        """One question, one answer."""

    def stream(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float | None) -> Stream[Res]:
        """One question, many answers."""

    async def sleep(self, seconds: float) -> None:
        """Lets time pass."""

    def lock(self) -> AbstractAsyncContextManager[None]:
        """One at a time."""

    async def close(self) -> None:
        """Ends all connections."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs what never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    coroutine.close()
    raise RuntimeError("something asynchronous was awaited in the blocking client")


def iterate(iterator: AsyncIterator[T]) -> Generator[T, None, None]:
    """The same for an iterator."""

    async def following() -> T:
        return await iterator.__anext__()

    async def close() -> None:
        if hasattr(iterator, "aclose"):
            await iterator.aclose()

    try:
        while True:
            try:
                value = run(following())
            except StopAsyncIteration:
                return
            yield value
    finally:
        run(close())


def aside(work: Callable[[], T]) -> T:
    """Does it in another thread, if this is the main one.

    There a signal may raise an exception anywhere, and grpc, left in the midst of a call,
    would keep a lock of its channel for good. What is not waited for any more goes on to its end.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run_it() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            errors.append(error)
        finally:
            done.set()

    try:
        threading.Thread(target=run_it, name="sprout-call", daemon=True).start()
    except RuntimeError:
        return work()  # the interpreter is ending, and starts no threads any more
    done.wait()
    if errors:
        raise errors.pop()
    return results.pop()


class BlockingTransport:
    """Over grpc, for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        self.servers = addresses(settings)
        tls = credentials(settings) if any(address.tls for address in self.servers) else None
        self._channels = [
            grpc.secure_channel(address.target, tls, options=OPTIONS)
            if address.tls and tls is not None
            else grpc.insecure_channel(address.target, options=OPTIONS)
            for address in self.servers
        ]
        self._lock = BlockingLock()

    async def unary(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float) -> Res:
        """One question, one answer."""
        call = self._channels[server].unary_unary(rpc.path, request_serializer=_serialize, response_deserializer=rpc.response.FromString)
        return aside(lambda: call(request, timeout=timeout, metadata=metadata))

    def stream(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float | None) -> Stream[Res]:
        """One question, many answers."""
        call = self._channels[server].unary_stream(rpc.path, request_serializer=_serialize, response_deserializer=rpc.response.FromString)
        return BlockingStream(aside(lambda: call(request, timeout=timeout, metadata=metadata)))

    async def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        time.sleep(seconds)  # noqa: ASYNC251 - this is the transport that blocks

    def lock(self) -> AbstractAsyncContextManager[None]:
        """One at a time."""
        return self._lock

    async def close(self) -> None:
        """Ends all connections."""
        for channel in self._channels:
            channel.close()


class BlockingLock(AbstractAsyncContextManager[None]):
    """A lock of threads that can be awaited where nothing suspends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class BlockingStream(Generic[Res]):
    """A stream of grpc."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> Res | None:
        """The next one; None after the last."""
        return cast(Optional[Res], aside(lambda: next(self._call, None)))

    def cancel(self) -> None:
        """Nobody reads it any more."""
        aside(self._call.cancel)


class AsyncTransport:
    """Over grpc.aio, for one event loop: the one it is made in."""

    def __init__(self, settings: Settings) -> None:
        self.servers = addresses(settings)
        tls = credentials(settings) if any(address.tls for address in self.servers) else None
        self._channels = [
            grpc.aio.secure_channel(address.target, tls, options=OPTIONS)
            if address.tls and tls is not None
            else grpc.aio.insecure_channel(address.target, options=OPTIONS)
            for address in self.servers
        ]
        self._lock = asyncio.Lock()

    async def unary(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float) -> Res:
        """One question, one answer."""
        call = self._channels[server].unary_unary(rpc.path, request_serializer=_serialize, response_deserializer=rpc.response.FromString)
        return await call(request, timeout=timeout, metadata=metadata)

    def stream(self, server: int, rpc: Rpc[Req, Res], request: Req, metadata: Metadata, timeout: float | None) -> Stream[Res]:
        """One question, many answers."""
        call = self._channels[server].unary_stream(rpc.path, request_serializer=_serialize, response_deserializer=rpc.response.FromString)
        return AsyncStream(call(request, timeout=timeout, metadata=metadata))

    async def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        await asyncio.sleep(seconds)

    def lock(self) -> AbstractAsyncContextManager[None]:
        """One at a time."""
        return AsyncLock(self._lock)

    async def close(self) -> None:
        """Ends all connections."""
        for channel in self._channels:
            await channel.close()


class AsyncLock(AbstractAsyncContextManager[None]):
    """A lock of tasks."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class AsyncStream(Generic[Res]):
    """A stream of grpc.aio."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> Res | None:
        """The next one; None after the last."""
        message = await self._call.read()
        return None if message is EOF else cast(Res, message)

    def cancel(self) -> None:
        """Nobody reads it any more."""
        self._call.cancel()


def _serialize(request: Any) -> bytes:
    return cast(bytes, request.SerializeToString())
