"""The blocking client. Its methods may be called from any thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _work
from . import rpc as api
from ._caller import Caller, Watch
from ._request import KEEP_ALIVE, Wanted, pool_request
from ._transport import BlockingTransport, iterate, run
from .checkout import Checkout
from .durations import Time, to_proto
from .errors import SproutError
from .models import ApplianceInfo, PoolInfo, appliance_fields, pool_info
from .proto.sprout.appliance.v1 import appliance_pb2
from .proto.sprout.group.v1 import group_pb2
from .proto.sprout.pool.v1 import pool_pb2
from .proto.sprout.user.v1 import user_pb2
from .rpc import Req, Res, Rpc
from .settings import DEFAULT_SERVER, Settings, from_environment

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, repr=False)
class Appliance(ApplianceInfo):
    """An appliance that can be worked on. What a method returns is the appliance as it is afterwards; this one stays as it was read."""

    client: SproutClient = field(compare=False)

    def refresh(self) -> Appliance:
        """As it is now."""
        return self.client.get_appliance(self.id)

    def hold(self, time: Time, reason: str) -> Appliance:
        """Keeps it for so long from now although its lease ends."""
        return self.client._appliance(run(_work.hold(self.client.caller, self.id, reason, time)))

    def unhold(self) -> Appliance:
        """Ends the hold; if the lease is over, the appliance is killed."""
        request = appliance_pb2.UnholdApplianceRequest(id=self.id)
        return self.client._appliance(self.client.call(api.UNHOLD_APPLIANCE, request).appliance)

    def extend(self, lease: Time) -> Appliance:
        """Its lease ends so long from now."""
        request = appliance_pb2.ExtendApplianceRequest(id=self.id, lease=to_proto(lease))
        return self.client._appliance(self.client.call(api.EXTEND_APPLIANCE, request).appliance)

    def describe(self, description: str) -> Appliance:
        """Sets its description."""
        request = appliance_pb2.DescribeApplianceRequest(id=self.id, description=description)
        return self.client._appliance(self.client.call(api.DESCRIBE_APPLIANCE, request).appliance)

    def kill(self) -> Appliance:
        """Ends it."""
        request = appliance_pb2.KillApplianceRequest(id=self.id)
        return self.client._appliance(self.client.call(api.KILL_APPLIANCE, request).appliance)

    def start(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Powers it on; waits until it proves ready."""
        return self._operate(api.START_APPLIANCE, wait, timeout)

    def stop(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Powers it off."""
        return self._operate(api.STOP_APPLIANCE, wait, timeout)

    def reboot(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Restarts it; waits until it proves ready."""
        return self._operate(api.REBOOT_APPLIANCE, wait, timeout)

    def suspend(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Freezes it."""
        return self._operate(api.SUSPEND_APPLIANCE, wait, timeout)

    def resume(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Continues it; waits until it proves ready."""
        return self._operate(api.RESUME_APPLIANCE, wait, timeout)

    def reset(self, *, wait: bool = True, timeout: Time | None = None) -> Appliance:
        """Deploys it anew from its template: the state it was handed out in."""
        return self._operate(api.RESET_APPLIANCE, wait, timeout)

    def logs(self, *, follow: bool = False) -> Generator[str, None, None]:
        """The lines of its log, oldest first; with `follow` also what comes."""
        request = appliance_pb2.WatchApplianceLogsRequest(id=self.id, follow=follow)
        watch = Watch(self.client.caller, api.WATCH_APPLIANCE_LOGS, request, lambda _: True)
        return (message.line for message in iterate(watch.messages()))

    def _operate(self, rpc: Rpc[Any, Any], wait: bool, timeout: Time | None) -> Appliance:
        work = _work.operate(self.client.caller, rpc, rpc.request(id=self.id), wait, timeout)
        return self.client._appliance(run(work))


class SproutClient:
    """A client of Sprout. Use it as a context manager, or call `close`.

    `server` may name several servers of one installation, with commas: one is called, until it fails, then the next.
    Without a token, a user and a password sign in with the first call, and out at the end.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        token: str | None = None,
        user: str | None = None,
        password: str | None = None,
        ca: str | None = None,
        insecure: bool = False,
        timeout: float = 30.0,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings(server, token=token, user=user, password=password, ca=ca, insecure=insecure, timeout=timeout)
        self.caller = Caller(self.settings, BlockingTransport(self.settings))

    @classmethod
    def from_environment(cls, server: str | None = None, **settings: Any) -> SproutClient:
        """A client as the environment and sproutctl's configuration file say: see `settings.from_environment`."""
        return cls(settings=from_environment(server, **settings))

    def __enter__(self) -> SproutClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Signs out what this client signed in, and ends the connections."""
        try:
            run(self.caller.logout())
        except SproutError as error:
            _work.log.debug("could not sign out: %s; the token runs out by itself", error)
        finally:
            run(self.caller.transport.close())

    @property
    def server(self) -> str:
        """The URL of the server that is called now."""
        return self.caller.server

    @property
    def token(self) -> str | None:
        """The token that calls carry, once there is one."""
        return self.caller.token

    def call(self, rpc: Rpc[Req, Res], request: Req, *, repeat: bool = True, timeout: float | None = None) -> Res:
        """Any call of the API, with the protocol's own messages. `repeat`: whether it may be made again if its answer was lost."""
        return run(self.caller.call(rpc, request, repeat=repeat, timeout=timeout))

    def stream(self, rpc: Rpc[Req, Res], request: Req, *, timeout: Time | None = None) -> Generator[Res, None, None]:
        """Any stream of the API. It goes on when the connection broke, and ends when the server ends it."""
        watch = Watch(self.caller, rpc, request, lambda _: True)
        return iterate(watch.messages(_work.deadline(timeout)))

    def who_am_i(self) -> str:
        """Name of the user whose token this is."""
        return self.call(api.WHO_AM_I, user_pb2.WhoAmIRequest()).user.name

    def groups(self) -> list[str]:
        """Names of all groups."""
        return [group.name for group in self.call(api.LIST_GROUPS, group_pb2.ListGroupsRequest()).groups]

    def checkout(
        self,
        group: str,
        count: int = 1,
        *,
        timeout: Time | None = None,
        progress: _work.Progress | None = None,
        **wanted: Unpack[Wanted],
    ) -> Checkout:
        """Appliances for a `with` block: requested and waited for at its begin, kept during it, given back at its end.

        `timeout` bounds the waiting here, `wait_limit` that of the server. Other arguments: see `Wanted`.
        """
        wanted.setdefault("keep_alive", KEEP_ALIVE)
        return Checkout(self, pool_request(group, count, **wanted), timeout=timeout, progress=progress)

    def request_pool(self, group: str, count: int = 1, **wanted: Unpack[Wanted]) -> PoolInfo:
        """Requests a pool, and leaves it to the caller: `wait_pool`, `extend_pool`, `kill_pool`. Arguments as of `checkout`."""
        return pool_info(self.call(api.REQUEST_POOL, pool_request(group, count, **wanted)).pool)

    def get_pool(self, pool: int) -> PoolInfo:
        """The pool as it is now."""
        return pool_info(self.call(api.GET_POOL, pool_pb2.GetPoolRequest(id=pool)).pool)

    def list_pools(self, *, owner: str | None = None, group: str | None = None, description_part: str | None = None) -> list[PoolInfo]:
        """Pools that have not ended, newest first: one's own; of staff, everyone's."""
        request = pool_pb2.ListPoolsRequest(owner=owner, group=group, description_part=description_part)
        return [pool_info(pool) for pool in run(_work.list_pools(self.caller, request))]

    def watch_pool(self, pool: int, *, timeout: Time | None = None) -> Generator[PoolInfo, None, None]:
        """The pool each time it changed, until it ended."""
        return (pool_info(change.pool) for change in iterate(_work.watch_pool(self.caller, pool, timeout)))

    def wait_pool(self, pool: int, *, timeout: Time | None = None, progress: _work.Progress | None = None) -> PoolInfo:
        """Waits until it is ready."""
        return pool_info(run(_work.wait_pool(self.caller, pool, timeout, progress)))

    def explain_pool(self, pool: int) -> pool_pb2.ExplainPoolResponse:
        """Why it waits."""
        return self.call(api.EXPLAIN_POOL, pool_pb2.ExplainPoolRequest(id=pool))

    def extend_pool(self, pool: int, lease: Time) -> PoolInfo:
        """Its leases end so long from now."""
        return pool_info(self.call(api.EXTEND_POOL, pool_pb2.ExtendPoolRequest(id=pool, lease=to_proto(lease))).pool)

    def describe_pool(self, pool: int, description: str) -> PoolInfo:
        """Sets its description."""
        request = pool_pb2.DescribePoolRequest(id=pool, description=description)
        return pool_info(self.call(api.DESCRIBE_POOL, request).pool)

    def kill_pool(self, pool: int) -> PoolInfo:
        """Ends it."""
        return pool_info(self.call(api.KILL_POOL, pool_pb2.KillPoolRequest(id=pool)).pool)

    def get_appliance(self, appliance: int) -> Appliance:
        """The appliance as it is now."""
        return self._appliance(run(_work.get_appliance(self.caller, appliance)))

    def list_appliances(self, *, pool: int | None = None, group: str | None = None, provider: str | None = None) -> list[Appliance]:
        """Appliances that one may see, newest first."""
        request = appliance_pb2.ListAppliancesRequest(pool_id=pool, group=group, provider=provider)
        return [self._appliance(it) for it in run(_work.list_appliances(self.caller, request))]

    def _appliance(self, message: appliance_pb2.Appliance) -> Appliance:
        return Appliance(client=self, **appliance_fields(message))  # type: ignore[arg-type]
