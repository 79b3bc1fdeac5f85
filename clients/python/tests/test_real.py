"""The clients against real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
from installation import PASSWORD, Installation, until

from sprout_client import (
    AsyncSproutClient,
    GroupNotFound,
    LeaseTooLong,
    NoTemplate,
    NotSignedIn,
    PoolState,
    SproutClient,
    WaitTimeout,
    WrongPassword,
)


def test_appliances_are_lent_for_a_block(sprout: Installation) -> None:
    seen: list[PoolState] = []
    with sprout.client() as client, client.checkout("sim", count=2, progress=lambda pool: seen.append(pool.state)) as pool:
        assert len(pool) == 2
        assert pool.info.version == "1.0"
        for appliance in pool:
            with urllib.request.urlopen(appliance.url() + "/version", timeout=10) as answer:
                assert answer.read().strip() == b"1.0"
            assert appliance.endpoint("ssh").host == appliance.address
        assert {one["id"] for one in sprout.appliances()} == {appliance.id for appliance in pool}
    assert seen[-1] is PoolState.READY
    sprout.until_nothing_is_left()


def test_a_lease_is_kept_for_longer_than_it_is(sprout: Installation) -> None:
    with sprout.client() as client, client.checkout("sim", lease=6) as pool:
        first = pool[0].refresh().leased_until
        assert first is not None

        def extended() -> None:
            # Past its end twice over, by the server's clock.
            now = pool[0].refresh().leased_until
            assert now is not None
            assert (now - first).total_seconds() > 6

        until("the lease was extended", extended)
        assert client.get_pool(pool.id).state is PoolState.READY
        assert pool.lost is None
    sprout.until_nothing_is_left()


def test_a_restart_of_the_server_is_not_noticed(sprout: Installation) -> None:
    with sprout.client() as client, client.checkout("sim", lease=60) as pool:
        sprout.restart_server()
        # A call waits for it for some seconds, and here it may take longer.
        assert until("it is back", lambda: client.get_pool(pool.id)).state is PoolState.READY
    sprout.until_nothing_is_left()


def test_refusals_are_typed(sprout: Installation) -> None:
    with sprout.client() as client:
        with pytest.raises(GroupNotFound), client.checkout("nosuch"):
            pass
        with pytest.raises(NoTemplate), client.checkout("none"):
            pass
        with pytest.raises(LeaseTooLong) as caught, client.checkout("sim", lease="30d"):
            pass
        assert caught.value.metadata["max_seconds"] == "86400"
        assert "lease" in caught.value.fields
    with SproutClient(sprout.url, token="nonsense") as client, pytest.raises(NotSignedIn):
        client.groups()
    with SproutClient(sprout.url, user="alice", password="wrong") as client, pytest.raises(WrongPassword):
        client.groups()
    assert sprout.pools() == []


def test_a_password_signs_in_and_out(sprout: Installation) -> None:
    before = len(sprout.sproutctl("token", "list", "--user", "alice"))
    with SproutClient(sprout.url, user="alice", password=PASSWORD) as client:
        assert client.who_am_i() == "alice"
        assert len(sprout.sproutctl("token", "list", "--user", "alice")) == before + 1
    assert len(sprout.sproutctl("token", "list", "--user", "alice")) == before


def test_what_is_waited_for_in_vain_is_given_back(sprout: Installation) -> None:
    with sprout.client() as client, client.checkout("sim", count=4):
        with pytest.raises(WaitTimeout), client.checkout("sim", timeout=1):
            pass
        assert len(sprout.pools()) == 1
    sprout.until_nothing_is_left()


def test_what_is_held_stays_until_its_hold_ends(sprout: Installation) -> None:
    with sprout.client() as client:
        with client.checkout("sim", count=2) as pool:
            held, other = pool
            held.hold("1h", "a look at it")

        def only_the_held_one() -> None:
            assert [one["id"] for one in sprout.appliances()] == [held.id]

        until("the other one is gone", only_the_held_one)
        assert held.refresh().hold_reason == "a look at it"
        sprout.sproutctl("appliance", "unhold", str(held.id))
        sprout.until_nothing_is_left()
    assert other.id != held.id


def test_an_appliance_is_worked_on(sprout: Installation) -> None:
    with sprout.client() as client, client.checkout("sim") as pool:
        appliance = pool[0]
        assert appliance.stop().state.value == "off"
        assert appliance.start().state.value == "ready"
        assert appliance.describe("mine").description == "mine"
        assert any("start" in line.lower() for line in appliance.logs())
    sprout.until_nothing_is_left()


def test_asyncio_has_the_same_surface(sprout: Installation) -> None:
    async def main() -> None:
        async with AsyncSproutClient(sprout.url, user="alice", password=PASSWORD) as client:
            assert await client.who_am_i() == "alice"
            async with client.checkout("sim", count=2, lease=6) as pool:
                first = (await pool[0].refresh()).leased_until
                stopped, _ = await asyncio.gather(pool[0].stop(), client.get_pool(pool.id))
                assert stopped.state.value == "off"
                assert [line async for line in pool[1].logs()]
                while True:
                    now = (await pool[1].refresh()).leased_until
                    assert now is not None
                    assert first is not None
                    if (now - first).total_seconds() > 3:
                        break
                    await asyncio.sleep(0.1)
            with pytest.raises(GroupNotFound):
                async with client.checkout("nosuch"):
                    pass

    asyncio.run(asyncio.wait_for(main(), 60))
    sprout.until_nothing_is_left()


SYNC = """
    import sys, time
    from sprout_client import SproutClient
    with SproutClient.from_environment() as client, client.checkout("sim", lease=%s, keep_alive=%s, count=%s) as pool:
        print("ready", flush=True)
        time.sleep(600)
"""
ASYNC = """
    import asyncio
    from sprout_client import AsyncSproutClient
    async def main():
        async with AsyncSproutClient.from_environment() as client, client.checkout("sim", lease=%s, keep_alive=%s, count=%s) as pool:
            print("ready", flush=True)
            await asyncio.sleep(600)
    asyncio.run(main())
"""


def start(
    sprout: Installation, tmp_path: Path, script: str, *, lease: int = 600, keep_alive: int = 60, count: int = 1
) -> subprocess.Popen[str]:
    (tmp_path / "run.py").write_text(textwrap.dedent(script) % (lease, keep_alive, count))
    return subprocess.Popen([sys.executable, "run.py"], cwd=tmp_path, env=sprout.environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, None), (signal.SIGHUP, 129)])
def test_a_signal_gives_back_at_once(sprout: Installation, tmp_path: Path, script: str, number: signal.Signals, code: int | None) -> None:
    with start(sprout, tmp_path, script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, number)
        ended = process.wait(30)
    assert ended != 0 if code is None else ended == code
    assert sprout.pools() == []
    sprout.until_nothing_is_left()


def test_after_sigkill_the_lease_ends_by_itself(sprout: Installation, tmp_path: Path) -> None:
    with start(sprout, tmp_path, SYNC, lease=10) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert len(sprout.appliances()) == 1
    sprout.until_nothing_is_left()


def test_after_sigkill_a_request_that_waits_is_dropped(sprout: Installation, tmp_path: Path) -> None:
    with sprout.client() as client, client.checkout("sim", count=4):
        with start(sprout, tmp_path, SYNC, keep_alive=10) as process:

            def waits() -> None:
                assert [one["state"] for one in sprout.pools()][:1] == ["waiting"]

            until("it waits", waits)
            process.kill()

        def dropped() -> None:
            assert len(sprout.pools()) == 1

        until("it is dropped", dropped)
    sprout.until_nothing_is_left()
