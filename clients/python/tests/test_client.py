"""What the clients do when answers are lost, servers are away, leases cannot be kept; against a fake server in this process.

Each is played by the blocking and by the asyncio client: both promise the same.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import grpc
import pytest
import trustme
from fake import Fake, fake, refusing, unavailable
from installation import free_ports

from sprout_client import (
    AsyncSproutClient,
    GroupNotFound,
    HoldLimit,
    InvalidRequest,
    LeaseLost,
    LeaseTooLong,
    NoTemplate,
    NotPossible,
    NotSignedIn,
    PoolFailed,
    QuotaExceeded,
    Refused,
    ServerFault,
    SettingsError,
    SproutClient,
    SproutError,
    Unavailable,
    Unreachable,
    Unsupported,
    WaitTimeout,
)
from sprout_client import rpc as api
from sprout_client.proto.sprout.group.v1 import group_pb2
from sprout_client.proto.sprout.pool.v1 import pool_pb2
from sprout_client.proto.sprout.user.v1 import user_pb2


@pytest.fixture
def server() -> Iterator[Fake]:
    with fake() as running:
        yield running


class Both:
    """Plays the same on either client."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def checkout(self, url: str, inside: Callable[[Any], None] | None = None, *, token: str | None = "t", **wanted: Any) -> Any:
        """Checks out, does something in another thread than the client's, and gives back."""
        if self.kind == "sync":
            with SproutClient(url, token=token) as client, client.checkout("g", **wanted) as pool:
                if inside is not None:
                    inside(pool)
            return pool

        async def main() -> Any:
            async with AsyncSproutClient(url, token=token) as client, client.checkout("g", **wanted) as pool:
                if inside is not None:
                    await asyncio.get_running_loop().run_in_executor(None, inside, pool)
            return pool

        return asyncio.run(main())

    def groups(self, url: str, **settings: Any) -> list[str]:
        if self.kind == "sync":
            with SproutClient(url, **settings) as client:
                return client.groups()

        async def main() -> list[str]:
            async with AsyncSproutClient(url, **settings) as client:
                return await client.groups()

        return asyncio.run(main())


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def groups(*names: str) -> Callable[[Any, Any], group_pb2.ListGroupsResponse]:
    return lambda *_: group_pb2.ListGroupsResponse(groups=[group_pb2.Group(name=name) for name in names])


def test_a_lost_answer_makes_no_second_pool(server: Fake, both: Both) -> None:
    server.answer(api.REQUEST_POOL, unavailable(), unavailable(), lambda *_: pool_pb2.RequestPoolResponse(pool=server.pool))
    both.checkout(server.url)
    ids = {request.request_id for request in server.asked("RequestPool")}
    assert (len(server.asked("RequestPool")), len(ids)) == (3, 1)
    assert [request.id for request in server.asked("KillPool")] == [7]


def test_what_is_wanted_is_asked_for(server: Fake, both: Both) -> None:
    both.checkout(server.url, update=True, cpus=2, lease="1h")
    both.checkout(server.url, keep_alive=None)
    first, second = server.asked("RequestPool")
    assert (first.update, first.cpus, first.lease.seconds, first.keep_alive.seconds) == (True, 2, 3600, 60)
    assert not second.update
    assert not second.HasField("keep_alive")


def test_a_call_is_tried_five_times(server: Fake, both: Both) -> None:
    server.answer(api.LIST_GROUPS, unavailable())
    with pytest.raises(Unavailable) as caught:
        both.groups(server.url)
    assert caught.value.reason == "DATABASE_UNAVAILABLE"
    assert len(server.asked("ListGroups")) == 5


def test_the_server_says_when_to_try_again(server: Fake, both: Both) -> None:
    server.answer(api.LIST_GROUPS, unavailable(1.5), groups("g"))
    began = time.monotonic()
    assert both.groups(server.url) == ["g"]
    assert time.monotonic() - began >= 1.5


def test_one_that_wants_to_be_left_alone_for_long_is(server: Fake, both: Both) -> None:
    server.answer(api.LIST_GROUPS, unavailable(3600))
    with pytest.raises(Unavailable) as caught:
        both.groups(server.url)
    assert caught.value.hint == "try again in 3600 s"
    assert len(server.asked("ListGroups")) == 1


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", InvalidRequest),
        (grpc.StatusCode.INVALID_ARGUMENT, "LEASE_TOO_LONG", LeaseTooLong),
        (grpc.StatusCode.NOT_FOUND, "GROUP_NOT_FOUND", GroupNotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, "NO_TEMPLATE", NoTemplate),
        (grpc.StatusCode.FAILED_PRECONDITION, "OF_A_NEWER_SERVER", NotPossible),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", QuotaExceeded),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "HOLD_LIMIT", HoldLimit),
        (grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN", NotSignedIn),
        (grpc.StatusCode.UNIMPLEMENTED, "", Unsupported),
        (grpc.StatusCode.INTERNAL, "INTERNAL", ServerFault),
    ],
)
def test_what_is_refused_is_not_repeated(server: Fake, both: Both, code: grpc.StatusCode, reason: str, kind: type[Refused]) -> None:
    server.answer(api.REQUEST_POOL, refusing(code, "no", reason, metadata={"limit": "5"}, field="count"))
    with pytest.raises(kind) as caught:
        both.checkout(server.url)
    assert type(caught.value) is kind
    assert (caught.value.reason or "", caught.value.fields) == (reason, {"count": "no"})
    assert caught.value.metadata == ({"limit": "5"} if reason else {})
    assert [name for name, *_ in server.calls] == ["RequestPool"]


def test_nobody_there_is_told_at_once(both: Both) -> None:
    (port,) = free_ports(1)
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        both.groups(f"http://127.0.0.1:{port}")
    assert caught.value.refused
    with pytest.raises(Unreachable):
        both.checkout(f"http://127.0.0.1:{port}")
    assert "is the server running?" in (caught.value.hint or "")
    assert time.monotonic() - began < 5


def test_one_that_was_there_is_waited_for(server: Fake) -> None:
    server.answer(api.LIST_GROUPS, groups("g"))
    with SproutClient(server.url) as client:
        assert client.groups() == ["g"]
        server.stop()
        back = threading.Timer(0.5, server.start)
        back.start()
        assert client.groups() == ["g"]
        back.join()


def test_giving_back_waits_for_a_server_that_is_away(server: Fake, both: Both) -> None:
    back: list[threading.Timer] = []

    def inside(_: Any) -> None:
        server.stop()
        back.append(threading.Timer(6, server.start))  # longer than a call is repeated
        back[0].start()

    both.checkout(server.url, inside)
    back[0].join()
    assert [request.id for request in server.asked("KillPool")] == [7]


def test_the_next_server_is_called_where_nobody_is_there(server: Fake, both: Both) -> None:
    (port,) = free_ports(1)
    server.answer(api.LIST_GROUPS, groups("g"))
    assert both.groups(f"http://127.0.0.1:{port},{server.url}") == ["g"]
    assert len(server.asked("ListGroups")) == 1


def test_the_next_server_is_called_where_one_is_away(server: Fake, both: Both) -> None:
    with fake() as other:
        other.answer(api.LIST_GROUPS, unavailable())
        server.answer(api.LIST_GROUPS, groups("g"))
        assert both.groups(f"{other.url},{server.url}") == ["g"]
        assert len(other.asked("ListGroups")) == 1


def test_over_tls_the_certificate_is_checked(both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with fake(grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])) as server:
        server.answer(api.LIST_GROUPS, groups("g"))
        assert both.groups(server.url, ca=str(tmp_path / "ca.pem")) == ["g"]
        with pytest.raises(Unreachable) as caught:
            both.groups(server.url)
        assert "SPROUT_CA" in (caught.value.hint or "")
        # Or the system trusts it.
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert both.groups(server.url) == ["g"]


def test_no_answer_in_time(server: Fake, both: Both) -> None:
    over = threading.Event()
    server.answer(api.LIST_GROUPS, lambda *_: over.wait(20) and None, groups("g"))
    try:
        assert both.groups(server.url, timeout=0.3) == ["g"]
    finally:
        over.set()


def test_a_watch_goes_on_when_it_breaks(server: Fake, both: Both) -> None:
    waiting = pool_pb2.Pool()
    waiting.CopyFrom(server.pool)
    waiting.state = pool_pb2.POOL_STATE_PROVISIONING
    waiting.progress_percent = 50

    def broken(_: Any, context: Any) -> Iterator[pool_pb2.WatchPoolResponse]:
        yield pool_pb2.WatchPoolResponse(pool=waiting)
        unavailable()(_, context)

    server.answer(api.REQUEST_POOL, lambda *_: pool_pb2.RequestPoolResponse(pool=waiting))
    server.answer(
        api.WATCH_POOL,
        broken,
        lambda *_: iter([pool_pb2.WatchPoolResponse(pool=waiting)]),  # ended too early
        lambda *_: iter([pool_pb2.WatchPoolResponse(pool=server.pool)]),
    )
    seen: list[str] = []
    both.checkout(server.url, progress=lambda pool: seen.append(pool.state.value))
    assert seen == ["provisioning", "provisioning", "ready"]


def test_who_waits_says_so(server: Fake, both: Both) -> None:
    def until_alive(_: Any, context: Any) -> Iterator[pool_pb2.WatchPoolResponse]:
        server.wait_for("KeepPoolAlive", 2)
        yield pool_pb2.WatchPoolResponse(pool=server.pool)

    waiting = pool_pb2.Pool()
    waiting.CopyFrom(server.pool)
    waiting.state = pool_pb2.POOL_STATE_WAITING
    server.answer(api.REQUEST_POOL, lambda *_: pool_pb2.RequestPoolResponse(pool=waiting))
    server.answer(api.WATCH_POOL, until_alive)
    # The first one gets lost, which does no harm.
    server.answer(api.KEEP_POOL_ALIVE, unavailable(), lambda *_: pool_pb2.KeepPoolAliveResponse())
    both.checkout(server.url, keep_alive=1)
    assert server.asked("RequestPool")[0].keep_alive.seconds == 1


@pytest.mark.parametrize("state", ["FAILED", "ENDING"])
def test_a_pool_that_fails_is_ended(server: Fake, both: Both, state: str) -> None:
    server.pool.state = getattr(pool_pb2, f"POOL_STATE_{state}")
    server.pool.status = "no luck"
    with pytest.raises(PoolFailed, match=f"pool 7 is {state.lower()}: no luck"):
        both.checkout(server.url)
    assert len(server.asked("KillPool")) == 1


def test_waiting_has_an_end(server: Fake, both: Both) -> None:
    server.pool.state = pool_pb2.POOL_STATE_WAITING
    over = threading.Event()

    def silent(*_: Any) -> Iterator[pool_pb2.WatchPoolResponse]:
        yield pool_pb2.WatchPoolResponse(pool=server.pool)
        over.wait(20)

    server.answer(api.WATCH_POOL, silent)
    try:
        with pytest.raises(WaitTimeout, match="sproutctl pool why 7"):
            both.checkout(server.url, timeout=0.5)
    finally:
        over.set()
    assert len(server.asked("KillPool")) == 1


def test_a_lease_is_extended_at_its_half_and_again_when_that_fails(server: Fake, both: Both) -> None:
    server.pool.lease.FromSeconds(3)
    server.answer(api.EXTEND_POOL, unavailable(), lambda *_: pool_pb2.ExtendPoolResponse(pool=server.pool))
    pool = both.checkout(server.url, lambda _: server.wait_for("ExtendPool", 3))
    assert pool.lost is None
    assert {request.lease.seconds for request in server.asked("ExtendPool")} == {3}


@pytest.mark.parametrize("how", ["gone", "away"])
def test_a_lost_lease_is_told(server: Fake, both: Both, how: str) -> None:
    server.pool.lease.FromSeconds(1)
    refusal = refusing(grpc.StatusCode.FAILED_PRECONDITION, "it is ended", "WRONG_STATE") if how == "gone" else unavailable()
    server.answer(api.EXTEND_POOL, refusal)
    told = threading.Event()

    def inside(pool: Any) -> None:
        pool.on_lost = lambda _: told.set()
        assert told.wait(20)

    pool = both.checkout(server.url, inside)
    assert isinstance(pool.lost, LeaseLost)


def test_an_exception_gives_back_and_goes_on(server: Fake, both: Both) -> None:
    def inside(_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both.checkout(server.url, inside)
    assert len(server.asked("KillPool")) == 1


def test_a_release_that_fails_is_told(server: Fake, both: Both, caplog: pytest.LogCaptureFixture) -> None:
    server.answer(api.KILL_POOL, unavailable(3600))
    with pytest.raises(Unavailable):
        both.checkout(server.url)

    def inside(_: Any) -> None:
        raise ZeroDivisionError

    # The first error is the one to tell.
    with pytest.raises(ZeroDivisionError):
        both.checkout(server.url, inside)
    assert "could not be given back after ZeroDivisionError" in caplog.text


def test_a_request_without_an_answer_is_asked_for_again_and_ended(server: Fake) -> None:
    def interrupted(*_: Any) -> pool_pb2.RequestPoolResponse:
        os.kill(os.getpid(), 2)
        time.sleep(0.5)
        return pool_pb2.RequestPoolResponse(pool=server.pool)

    server.answer(api.REQUEST_POOL, interrupted, lambda *_: pool_pb2.RequestPoolResponse(pool=server.pool))
    with pytest.raises(KeyboardInterrupt), SproutClient(server.url, token="t") as client, client.checkout("g"):
        pass
    first, second = server.asked("RequestPool")
    assert first == second
    assert [request.id for request in server.asked("KillPool")] == [7]


def test_a_ctrl_c_does_not_end_giving_back(server: Fake) -> None:
    def interrupted(*_: Any) -> pool_pb2.KillPoolResponse:
        os.kill(os.getpid(), 2)
        time.sleep(0.5)
        done.set()
        return pool_pb2.KillPoolResponse(pool=server.pool)

    done = threading.Event()
    server.answer(api.KILL_POOL, interrupted)
    with pytest.raises(KeyboardInterrupt), SproutClient(server.url, token="t") as client, client.checkout("g"):
        pass
    assert done.is_set()


def test_a_token_that_ran_out_is_renewed_with_the_password(server: Fake, both: Both) -> None:
    tokens = iter(["first", "second"])
    server.answer(api.LOGIN, lambda *_: user_pb2.LoginResponse(token=next(tokens)))
    server.answer(api.LOGOUT, lambda *_: user_pb2.LogoutResponse())
    server.answer(api.LIST_GROUPS, refusing(grpc.StatusCode.UNAUTHENTICATED, "it expired", "NOT_SIGNED_IN"), groups("g"))
    assert both.groups(server.url, user="u", password="p") == ["g"]
    assert [(name, metadata.get("authorization")) for name, _, metadata in server.calls] == [
        ("Login", None),
        ("ListGroups", "Bearer first"),
        ("Login", None),
        ("ListGroups", "Bearer second"),
        ("Logout", "Bearer second"),
    ]


def test_a_token_that_was_given_is_its_givers_business(server: Fake, both: Both) -> None:
    server.answer(api.LIST_GROUPS, refusing(grpc.StatusCode.UNAUTHENTICATED, "it expired", "NOT_SIGNED_IN"))
    with pytest.raises(NotSignedIn):
        both.groups(server.url, token="t")
    assert [name for name, *_ in server.calls] == ["ListGroups"]


def test_any_call_of_the_api_can_be_made(server: Fake) -> None:
    rpc = api.Rpc.of(group_pb2.DESCRIPTOR, "GroupService", "ListGroups", group_pb2.ListGroupsRequest, group_pb2.ListGroupsResponse)
    server.answer(api.LIST_GROUPS, groups("g"))
    with SproutClient(server.url) as client:
        assert client.call(rpc, group_pb2.ListGroupsRequest()).groups[0].name == "g"
        with pytest.raises(SettingsError, match="stream"):
            client.call(api.WATCH_POOL, pool_pb2.WatchPoolRequest(id=7))
        assert [change.pool.id for change in client.stream(api.WATCH_POOL, pool_pb2.WatchPoolRequest(id=7))] == [7]
    with pytest.raises(SettingsError, match=r"no call GroupService\.Nothing"):
        api.Rpc.of(group_pb2.DESCRIPTOR, "GroupService", "Nothing", group_pb2.ListGroupsRequest, group_pb2.ListGroupsResponse)
    with pytest.raises(SettingsError, match="takes a ListGroupsRequest"):
        api.Rpc.of(group_pb2.DESCRIPTOR, "GroupService", "ListGroups", group_pb2.GetGroupRequest, group_pb2.ListGroupsResponse)


def test_a_checkout_is_for_once(server: Fake) -> None:
    with SproutClient(server.url, token="t") as client:
        checkout = client.checkout("g")
        with pytest.raises(RuntimeError, match="nothing is checked out"):
            _ = checkout.appliances
        with checkout as pool:
            assert pool[0].url("web") == "http://h"
            with pytest.raises(KeyError, match="no endpoint `ssh`; it has: web"):
                pool[0].endpoint("ssh")
        with pytest.raises(RuntimeError, match="for once"):
            checkout.acquire()
        checkout.release()
    assert len(server.asked("KillPool")) == 1


def test_errors_share_a_class() -> None:
    for kind in (Refused, Unreachable, SettingsError, WaitTimeout, LeaseLost, PoolFailed):
        assert issubclass(kind, SproutError)
