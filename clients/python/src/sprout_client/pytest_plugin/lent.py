"""What the tests of one process work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from sprout_client import Appliance, PoolInfo, Settings, SproutClient
from sprout_client.models import pool_info
from sprout_client.proto.sprout.pool.v1 import pool_pb2

FIXTURES = {"sprout_pool", "sprout_appliances", "sprout_appliance"}
PROPERTY = "sprout_appliances"
"""Of a test's report: ids of the appliances it had, with commas."""


@dataclass(frozen=True)
class SproutPool:
    """The pool of this test run."""

    info: PoolInfo
    """As it was when it got ready."""
    appliances: Sequence[Appliance]
    """All of it."""
    mine: Sequence[Appliance]
    """Those that are for this process's tests."""
    client: SproutClient = field(repr=False)
    """Signed in as whoever requested it."""

    @property
    def id(self) -> int:
        """Its id."""
        return self.info.id


class Lent:
    """Knows the appliances of this process: the controller's, or what the controller gave to this worker of xdist."""

    def __init__(self, pool: pool_pb2.Pool, share: Sequence[int], client: SproutClient) -> None:
        appliances = sorted((client._appliance(it) for it in pool.appliances), key=lambda appliance: appliance.id)
        mine = [appliance for appliance in appliances if appliance.id in share]
        self._client = client
        self.pool = SproutPool(pool_info(pool), appliances, mine, client)

    @classmethod
    def of_worker(cls, given: dict[str, Any]) -> Lent:
        """What `for_worker` made, on the other side."""
        client = SproutClient(settings=Settings(**given["settings"]))
        return cls(pool_pb2.Pool.FromString(given["pool"]), given["share"], client)

    @staticmethod
    def for_worker(pool: pool_pb2.Pool, share: Sequence[int], settings: Settings, token: str | None) -> dict[str, Any]:
        """What a worker is to know, in types that xdist can send. The token goes through a pipe, not the environment."""
        connection = {"server": settings.server, "ca": settings.ca, "insecure": settings.insecure, "token": token}
        return {"pool": pool.SerializeToString(), "share": list(share), "settings": connection}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Notes in the report which appliances the test has."""
        fixtures = FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if fixtures:
            theirs = self.pool.mine[:1] if fixtures == {"sprout_appliance"} else self.pool.mine
            item.user_properties.append((PROPERTY, ",".join(str(appliance.id) for appliance in theirs)))


def spread(appliances: Sequence[int], workers: int) -> list[list[int]]:
    """Which appliances each worker gets: all are used, each worker has one at least, and as few share one as can be."""
    if len(appliances) >= workers:
        return [list(appliances[number::workers]) for number in range(workers)]
    return [[appliances[number % len(appliances)]] for number in range(workers)]
