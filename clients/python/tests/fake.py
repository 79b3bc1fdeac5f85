"""A server in this process that does as it is told: to try what a real one does seldom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, Callable, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from installation import free_ports

from sprout_client import rpc as api
from sprout_client.proto.sprout.pool.v1 import pool_pb2
from sprout_client.rpc import Rpc

Context = Any
Handler = Callable[[Any, Context], Any]


class Fake:
    """Answers what was prepared, and remembers what was asked."""

    def __init__(self, tls: grpc.ServerCredentials | None = None) -> None:
        self._tls = tls
        self.calls: list[tuple[str, Any, dict[str, str]]] = []
        self._answers: dict[str, list[Handler]] = {}
        self._happened = threading.Condition()
        (self.port,) = free_ports(1)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._server: grpc.Server | None = None
        self.pool = pool_pb2.Pool(id=7, group="g", count=1, version="1.0", state=pool_pb2.POOL_STATE_READY)
        self.pool.lease.FromSeconds(3600)
        self.pool.appliances.add(id=1, name="a").endpoints.add(name="web", host="h", port=80, url="http://h")
        self.answer(api.REQUEST_POOL, lambda *_: pool_pb2.RequestPoolResponse(pool=self.pool))
        self.answer(api.GET_POOL, lambda *_: pool_pb2.GetPoolResponse(pool=self.pool))
        self.answer(api.KILL_POOL, lambda *_: pool_pb2.KillPoolResponse(pool=self.pool))
        self.answer(api.EXTEND_POOL, lambda *_: pool_pb2.ExtendPoolResponse(pool=self.pool))
        self.answer(api.KEEP_POOL_ALIVE, lambda *_: pool_pb2.KeepPoolAliveResponse())
        self.answer(api.WATCH_POOL, lambda *_: iter([pool_pb2.WatchPoolResponse(pool=self.pool)]))

    def start(self) -> None:
        """Listens."""
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, dict[str, Any]] = {}
        for rpc in (value for value in vars(api).values() if isinstance(value, Rpc)):
            _, service, method = rpc.path.split("/")
            kind = grpc.unary_stream_rpc_method_handler if rpc.streams else grpc.unary_unary_rpc_method_handler
            handlers.setdefault(service, {})[method] = kind(
                self._handler(rpc),
                request_deserializer=rpc.request.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        for service, methods in handlers.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        address = f"127.0.0.1:{self.port}"
        assert self.port == (server.add_secure_port(address, self._tls) if self._tls else server.add_insecure_port(address))
        server.start()
        self._server = server

    def stop(self) -> None:
        """Listens no more; calls under way are cut off."""
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def answer(self, rpc: Rpc[Any, Any], *handlers: Handler) -> None:
        """What it answers: the first to the first call and so on, the last one to all that follow."""
        self._answers[rpc.path] = list(handlers)

    def _handler(self, rpc: Rpc[Any, Any]) -> Handler:
        def handle(request: Any, context: Context) -> Any:
            with self._happened:
                metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
                self.calls.append((rpc.path.rsplit("/", 1)[1], request, metadata))
                self._happened.notify_all()
                answers = self._answers.get(rpc.path, [])
                answer = answers.pop(0) if len(answers) > 1 else answers[0] if answers else unknown
            return answer(request, context)

        return handle

    def asked(self, name: str) -> list[Any]:
        """The requests of a call so far."""
        return [request for call, request, _ in self.calls if call == name]

    def wait_for(self, name: str, count: int = 1) -> None:
        """Until it was called so often."""
        with self._happened:
            assert self._happened.wait_for(lambda: len(self.asked(name)) >= count, timeout=20), [call for call, *_ in self.calls]


def unknown(request: Any, context: Context) -> NoReturn:
    """What no answer was prepared for."""
    refuse(context, grpc.StatusCode.UNIMPLEMENTED, type(request).__name__)


def refuse(
    context: Context,
    code: grpc.StatusCode,
    message: str,
    reason: str = "",
    *,
    metadata: dict[str, str] | None = None,
    field: str = "",
    retry_seconds: float = 0.0,
) -> NoReturn:
    """Answers with an error as the real server does."""
    details: list[AnyMessage] = []

    def add(message: Any) -> None:
        packed = AnyMessage()
        packed.Pack(message)
        details.append(packed)

    if reason:
        add(error_details_pb2.ErrorInfo(reason=reason, domain="sprout", metadata=metadata or {}))
    if field:
        add(error_details_pb2.BadRequest(field_violations=[{"field": field, "description": message}]))
    if retry_seconds:
        add(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=int(retry_seconds), nanos=int(retry_seconds % 1 * 1e9))))
    status = status_pb2.Status(code=code.value[0], message=message, details=details)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)
    raise AssertionError("abort raises")


def refusing(*arguments: Any, **more: Any) -> Handler:
    """A handler that refuses."""
    return lambda _, context: refuse(context, *arguments, **more)


def unavailable(retry_seconds: float = 0.0) -> Handler:
    """A handler that is away for a moment."""
    return refusing(grpc.StatusCode.UNAVAILABLE, "the database is away", "DATABASE_UNAVAILABLE", retry_seconds=retry_seconds)


@contextmanager
def fake(tls: grpc.ServerCredentials | None = None) -> Iterator[Fake]:
    """One that listens."""
    server = Fake(tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()
