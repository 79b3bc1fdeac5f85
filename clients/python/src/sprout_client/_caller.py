"""Calls that survive what they may: several servers, answers that were lost, tokens that ran out, streams that broke.

The rules are those of the Rust client (clients/rust): of several servers one is called until it fails, then the next. A call that
could not be sent goes to the next one by itself; one that was sent is sent again only if repeating it changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator
from typing import Callable, Generic

import grpc

from . import rpc as api
from ._status import explain
from ._transport import Metadata, Stream, Transport
from .errors import NotSignedIn, Refused, SettingsError, SproutError, Unreachable, WaitTimeout
from .proto.sprout.user.v1 import user_pb2
from .rpc import Req, Res, Rpc
from .settings import Settings

log = logging.getLogger("sprout_client")

PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Between the tries of a call: a restarting server is back within them."""
LONGEST_RETRY_AFTER = 30.0
"""A server that wants to be left alone for longer is not waited for."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Between the tries to open a stream again."""


class Caller:
    """Makes calls."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self.settings = settings
        self.transport = transport
        self._current = 0
        self._turn = threading.Lock()
        self._was_there = False
        """Whether any server ever answered."""
        self._token = settings.token
        self._login_token: str | None = None

    @property
    def server(self) -> str:
        """The URL of the server that is called now."""
        return self.transport.servers[self._current].url

    @property
    def token(self) -> str | None:
        """The token that calls carry."""
        return self._token or self._login_token

    async def call(self, rpc: Rpc[Req, Res], request: Req, *, repeat: bool = True, timeout: float | None = None) -> Res:
        """Makes a call; if it may be repeated, again after a pause while the server is unavailable, five times at most.

        If nobody listens at a server that has never answered, it is not restarting but not there: that fails at once.
        """
        pauses = iter(PAUSES if repeat else ())
        first, was_sent = True, False
        while True:
            try:
                return await self._authorized(rpc, request, timeout or self.settings.timeout)
            except SproutError as error:
                if isinstance(error, Unreachable):
                    # Of all tries, not of the last one alone.
                    was_sent = was_sent or not error.unsent
                    error.unsent = not was_sent
                if not error.is_unavailable or (first and not self._was_there and isinstance(error, Unreachable) and error.refused):
                    raise
                pause = next(pauses, None)
                after = (error.retry_after or 0.0) if isinstance(error, Refused) else 0.0
                if pause is None or after > LONGEST_RETRY_AFTER:
                    raise
                log.debug("%s: %s; trying again", rpc.path, error)
                await self.transport.sleep(max(pause, after))
            first = False

    async def _authorized(self, rpc: Rpc[Req, Res], request: Req, timeout: float) -> Res:
        used = await self._signed_in(timeout)
        try:
            return await self._once(rpc, request, used, timeout)
        except NotSignedIn:
            # A token that a login made runs out; a given one is its giver's business.
            if used is None or used != self._login_token:
                raise
            self._login_token = None
        return await self._once(rpc, request, await self._signed_in(timeout), timeout)

    async def _signed_in(self, timeout: float) -> str | None:
        """The token to send; signs in first where there is a password instead."""
        user, password = self.settings.user, self.settings.password
        if self.token is not None or user is None or password is None:
            return self.token
        async with self.transport.lock():
            if self._login_token is None:
                login = user_pb2.LoginRequest(name=user, password=password)
                self._login_token = (await self._once(api.LOGIN, login, None, timeout)).token
                log.debug("signed in as %s", user)
            return self._login_token

    async def _once(self, rpc: Rpc[Req, Res], request: Req, token: str | None, timeout: float) -> Res:
        if rpc.streams:
            raise SettingsError(f"{rpc.path} answers with a stream; use `stream`")
        count = len(self.transport.servers)
        index = self._current
        for others in range(count - 1, -1, -1):
            try:
                answer = await self.transport.unary(index, rpc, request, bearer(token), timeout)
            except grpc.RpcError as status:
                error = self._failed(index, status)
                self._was_there |= isinstance(error, Refused)
                if others == 0 or not (isinstance(error, Unreachable) and error.unsent):
                    raise error from None
            else:
                self._was_there = True
                return answer
            # Nobody is there, so nothing was sent: any call may go to the next one.
            index = (index + 1) % count
        raise AssertionError("there is always a server")

    def _failed(self, index: int, status: grpc.RpcError) -> SproutError:
        count = len(self.transport.servers)
        error = explain(self.transport.servers[index].url, status)
        if error.is_unavailable:
            with self._turn:
                # The next server is called from now on, unless somebody else has already found that out.
                if self._current == index:
                    self._current = (index + 1) % count
        if isinstance(error, Unreachable) and count > 1:
            # Another one may well listen.
            error.refused = False
        return error

    async def open(self, rpc: Rpc[Req, Res], request: Req, timeout: float | None) -> tuple[int, Stream[Res]]:
        """Begins a stream at the server that is called now; errors show with the first message."""
        token = await self._signed_in(self.settings.timeout)
        index = self._current
        return index, self.transport.stream(index, rpc, request, bearer(token), timeout)

    def forget_login(self) -> bool:
        """Signs in anew with the next call; false where there is no password to do it with."""
        had, self._login_token = self._login_token, None
        return had is not None

    async def logout(self) -> None:
        """Ends the token that a login made."""
        token, self._login_token = self._login_token, None
        if token is not None:
            await self._once(api.LOGOUT, user_pb2.LogoutRequest(), token, min(5.0, self.settings.timeout))


def bearer(token: str | None) -> Metadata:
    """The token as it travels."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


class Watch(Generic[Req, Res]):
    """A stream that is opened again when it breaks; the server sends the thing as it is then."""

    def __init__(self, caller: Caller, rpc: Rpc[Req, Res], request: Req, is_last: Callable[[Res | None], bool]) -> None:
        self._caller = caller
        self._rpc, self._request = rpc, request
        self._is_last = is_last
        """Whether the server may end the stream after this message (or without one)."""

    async def messages(self, deadline: float | None = None) -> AsyncIterator[Res]:
        """The messages. WaitTimeout at the deadline (of `time.monotonic`); what the server refuses ends it, too."""
        last: Res | None = None
        was_open = is_lost = is_anew = False
        refused, pause = 0, FIRST_PAUSE
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
            index, stream = await self._caller.open(self._rpc, self._request, left)
            try:
                while True:
                    message = await stream.read()
                    if message is None:
                        if self._is_last(last):
                            return
                        error: SproutError = Unreachable(self._caller.server, "the server ended the stream")
                        was_open = True
                        break
                    if is_lost:
                        log.info("connected again")
                    was_open, is_lost, is_anew, last, pause = True, False, False, message, FIRST_PAUSE
                    yield message
            except grpc.RpcError as status:
                if deadline is not None and time.monotonic() >= deadline - 0.01:
                    raise WaitTimeout("it was waited for as long as was asked") from None
                error = self._caller._failed(index, status)
            finally:
                stream.cancel()
            if isinstance(error, NotSignedIn) and not is_anew and self._caller.forget_login():
                is_anew = True
                continue
            if not was_open and error.is_unavailable and refused + 1 < len(self._caller.transport.servers):
                refused += 1
                continue  # another one may be there
            if not error.is_unavailable or not was_open:
                raise error
            if not is_lost:
                log.warning("connection lost (%s); reconnecting …", error)
            is_lost = True
            await self._caller.transport.sleep(pause if deadline is None else max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * 2, LONGEST_PAUSE)
