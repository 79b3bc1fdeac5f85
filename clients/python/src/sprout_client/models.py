"""Pools and appliances as small typed values. What they hold is as it was when they were read."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from .proto.sprout.appliance.v1 import appliance_pb2
from .proto.sprout.pool.v1 import pool_pb2
from .proto.sprout.template.v1 import template_pb2


class PoolState(enum.Enum):
    """Where a pool is in its life."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    PROVISIONING = "provisioning"
    READY = "ready"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


class ApplianceState(enum.Enum):
    """Where an appliance is in its life."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    CLONING = "cloning"
    STARTING = "starting"
    PREPARING = "preparing"
    READY = "ready"
    STOPPING = "stopping"
    OFF = "off"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    KILLING = "killing"
    GONE = "gone"
    FAILED = "failed"
    ORPHANED = "orphaned"


class PowerState(enum.Enum):
    """As last observed on the provider."""

    UNKNOWN = "unknown"
    ON = "on"
    OFF = "off"
    SUSPENDED = "suspended"
    CHANGING = "changing"
    ABSENT = "absent"


class TemplateType(enum.Enum):
    """What is cloned."""

    UNKNOWN = "unknown"
    VIRTUAL_MACHINE = "virtual_machine"
    CONTAINER = "container"
    DOCKER_VM = "docker_vm"


class Priority(enum.Enum):
    """Who goes first where requests wait."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


E = TypeVar("E", bound=enum.Enum)


def _read(kind: type[E], name: str, prefix: str) -> E:
    """A state that this client does not know, of a newer server, is UNKNOWN."""
    members = kind.__members__
    return members.get(name[len(prefix) :], members["UNKNOWN"])


def _name(kind: type[E], descriptor: object, number: int, prefix: str) -> E:
    values = getattr(descriptor, "values_by_number", {})
    value = values.get(number)
    return _read(kind, value.name if value is not None else "", prefix)


def _time(message: Timestamp, present: bool) -> datetime | None:
    return message.ToDatetime(tzinfo=timezone.utc) if present else None


@dataclass(frozen=True)
class Endpoint:
    """A named service of an appliance."""

    name: str
    host: str
    port: int
    url: str | None


@dataclass(frozen=True, repr=False)
class ApplianceInfo:
    """One VM or container."""

    id: int
    name: str
    state: ApplianceState
    power_state: PowerState
    provider: str
    provider_type: str
    group: str
    template: str
    template_type: TemplateType
    version: str
    date: str
    pool_id: int | None
    owner: str | None
    address: str | None
    endpoints: tuple[Endpoint, ...]
    main_url: str | None
    status: str
    description: str
    progress_percent: int
    created_at: datetime
    ready_at: datetime | None
    leased_until: datetime | None
    held_until: datetime | None
    hold_reason: str | None
    memory_mib: int | None
    cpus: int | None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {self.name}, {self.state.value}, {self.main_url or self.address or 'no address'}>"

    def endpoint(self, name: str) -> Endpoint:
        """The service of this name. KeyError says which there are."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        names = ", ".join(endpoint.name for endpoint in self.endpoints) or "none"
        raise KeyError(f"{self.name} has no endpoint `{name}`; it has: {names}")

    def url(self, endpoint: str | None = None) -> str:
        """Where people use it: of the endpoint named, or of the first that has a URL."""
        found = self.main_url if endpoint is None else self.endpoint(endpoint).url
        if not found:
            raise KeyError(
                f"{self.name} has no URL{f' at `{endpoint}`' if endpoint else ''}: its group gives it no scheme, or it has no address yet"
            )
        return found


def appliance_fields(it: appliance_pb2.Appliance) -> dict[str, object]:
    """The fields of an ApplianceInfo."""
    return {
        "id": it.id,
        "name": it.name,
        "state": _name(ApplianceState, appliance_pb2.ApplianceState.DESCRIPTOR, it.state, "APPLIANCE_STATE_"),
        "power_state": _name(PowerState, appliance_pb2.PowerState.DESCRIPTOR, it.power_state, "POWER_STATE_"),
        "provider": it.provider,
        "provider_type": it.provider_type,
        "group": it.group,
        "template": it.template,
        "template_type": _name(TemplateType, template_pb2.TemplateType.DESCRIPTOR, it.template_type, "TEMPLATE_TYPE_"),
        "version": it.version,
        "date": it.date,
        "pool_id": it.pool_id if it.HasField("pool_id") else None,
        "owner": it.owner if it.HasField("owner") else None,
        "address": it.address if it.HasField("address") else None,
        "endpoints": tuple(Endpoint(e.name, e.host, e.port, e.url if e.HasField("url") else None) for e in it.endpoints),
        "main_url": it.url or None,
        "status": it.status,
        "description": it.description,
        "progress_percent": it.progress_percent,
        "created_at": it.created_at.ToDatetime(tzinfo=timezone.utc),
        "ready_at": _time(it.ready_at, it.HasField("ready_at")),
        "leased_until": _time(it.leased_until, it.HasField("leased_until")),
        "held_until": _time(it.held_until, it.HasField("held_until")),
        "hold_reason": it.hold_reason if it.HasField("hold_reason") else None,
        "memory_mib": it.memory_mib if it.HasField("memory_mib") else None,
        "cpus": it.cpus if it.HasField("cpus") else None,
    }


@dataclass(frozen=True)
class PoolInfo:
    """One request for N alike appliances."""

    id: int
    request_id: str
    owner: str
    group: str
    version: str
    date: str
    provider: str | None
    count: int
    lease: timedelta
    description: str
    state: PoolState
    status: str
    created_at: datetime
    fulfilled_at: datetime | None
    leased_until: datetime | None
    ended_at: datetime | None
    progress_percent: int
    ready_count: int
    waiting_count: int
    position: int | None
    appliances: tuple[ApplianceInfo, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        what = " ".join(part for part in (self.group, self.version, self.date) if part)
        text = f"pool {self.id} ({self.count} of {what}): {self.state.value}, {self.ready_count}/{self.count} ready"
        if self.position is not None:
            text += f", number {self.position} in line"
        elif self.state is PoolState.PROVISIONING:
            text += f", {self.progress_percent} %"
        return text + (f": {self.status}" if self.status else "")


def pool_info(it: pool_pb2.Pool) -> PoolInfo:
    """Reads a pool."""
    return PoolInfo(
        id=it.id,
        request_id=it.request_id,
        owner=it.owner,
        group=it.group,
        version=it.version,
        date=it.date,
        provider=it.provider if it.HasField("provider") else None,
        count=it.count,
        lease=it.lease.ToTimedelta(),
        description=it.description,
        state=_name(PoolState, pool_pb2.PoolState.DESCRIPTOR, it.state, "POOL_STATE_"),
        status=it.status,
        created_at=it.created_at.ToDatetime(tzinfo=timezone.utc),
        fulfilled_at=_time(it.fulfilled_at, it.HasField("fulfilled_at")),
        leased_until=_time(it.leased_until, it.HasField("leased_until")),
        ended_at=_time(it.ended_at, it.HasField("ended_at")),
        progress_percent=it.progress_percent,
        ready_count=it.ready_count,
        waiting_count=it.waiting_count,
        position=it.position if it.HasField("position") else None,
        appliances=tuple(appliance_info(appliance) for appliance in it.appliances),
    )


def appliance_info(it: appliance_pb2.Appliance) -> ApplianceInfo:
    """Reads an appliance."""
    return ApplianceInfo(**appliance_fields(it))  # type: ignore[arg-type]
