"""Reads gRPC statuses: was the server reached at all, and what exactly did it say?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .errors import CODES, REASONS, Refused, SproutError, Unreachable

DETAILS = "grpc-status-details-bin"

# What gRPC itself says where no connection came about.
NO_CONNECTION = ("failed to connect to all addresses", "DNS resolution failed", "empty address list")
# What it says of a connection that broke, in codes that a server uses for other things.
BROKEN = ("Received RST_STREAM", "Stream removed", "Connection reset", "Socket closed", "RST_STREAM")


class RpcStatus(Protocol):
    """What the errors of grpc and of grpc.aio have in common."""

    def code(self) -> grpc.StatusCode:
        """The code."""

    def details(self) -> str | None:
        """The message."""

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """What came with it."""


def explain(server: str, error: grpc.RpcError) -> SproutError:
    """The error as this package has it."""
    status = cast(RpcStatus, error)
    code, message = status.code(), status.details() or ""
    info, fields, retry_after = _details(status.trailing_metadata() or ())
    if info is None:
        # No server of ours answers these without saying why: they were made on this side, or by a proxy.
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(server, "no answer in time")
        if code is grpc.StatusCode.UNAVAILABLE and retry_after is None:
            unsent = any(text in message for text in NO_CONNECTION)
            return Unreachable(server, message or "unavailable", refused="Connection refused" in message, unsent=unsent)
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN) and any(text in message for text in BROKEN):
            return Unreachable(server, message)
    reason = info.reason if info is not None and info.reason else None
    kind = REASONS.get(reason or "") or CODES.get(code, Refused)
    metadata = dict(info.metadata) if info is not None else {}
    return kind(code, message, reason=reason, metadata=metadata, fields=fields, retry_after=retry_after)


def _details(
    trailing: Iterable[tuple[str, str | bytes]],
) -> tuple[error_details_pb2.ErrorInfo | None, dict[str, str], float | None]:
    """The `google.rpc` details: why, which fields, and when to try again."""
    info: error_details_pb2.ErrorInfo | None = None
    fields: dict[str, str] = {}
    retry_after: float | None = None
    for key, value in trailing:
        if key != DETAILS or not isinstance(value, bytes):
            continue
        try:
            details = status_pb2.Status.FromString(value).details
            for detail in details:
                found, bad, retry = (
                    error_details_pb2.ErrorInfo(),
                    error_details_pb2.BadRequest(),
                    error_details_pb2.RetryInfo(),
                )
                if detail.Unpack(found):
                    info = found
                elif detail.Unpack(bad):
                    fields.update((violation.field, violation.description) for violation in bad.field_violations)
                elif detail.Unpack(retry):
                    retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        except DecodeError:
            # Code and message are enough.
            continue
    return info, fields, retry_after
