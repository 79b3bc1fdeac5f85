"""What is asked for, checked as far as this side can and made with its id before anything is sent."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from .durations import Time, duration, to_proto
from .errors import SettingsError
from .models import Priority, TemplateType
from .proto.sprout.pool.v1 import pool_pb2

if TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers bring it along

KEEP_ALIVE = timedelta(seconds=60)
"""While a checkout waits, it is dropped when its client was not heard of for this long."""

LEGACY_TYPES = {"openshift_pod": TemplateType.CONTAINER}
DATE = re.compile(r"(?:20)?(\d\d)-?(\d\d)-?(\d\d)", re.ASCII)


class Wanted(TypedDict, total=False):
    """What a request may say besides group and count; said once, for both clients and all that request."""

    version: str | None
    """Only this one; by default the newest."""
    date: str | None
    """Only of this day (YYYY-MM-DD); by default the newest of the version."""
    provider: str | None
    """Only on this one."""
    provider_type: str | None
    """Only on providers of this type."""
    template_type: TemplateType | str | None
    """Only of templates of this type."""
    unconfigured: bool
    """Of templates as they were built: ready means on."""
    update: bool
    """Brought up to date before they are ready, as their group says how."""
    lease: Time | None
    """How long they outlive this process if it dies; by default as their group has it."""
    description: str
    """What people read in lists."""
    memory_mib: int | None
    """Memory of each; by default as its template has it."""
    cpus: int | None
    """CPUs of each; by default as its template has it."""
    priority: Priority | None
    """Whom it goes before, in the waiting line."""
    keep_alive: Time | None
    """While it waits, it is dropped when nobody asked for it for so long."""
    wait_limit: Time | None
    """How long the server has it wait at most."""
    request_id: str | None
    """The same one gives the same pool, for good."""


def pool_request(group: str, count: int = 1, **wanted: Unpack[Wanted]) -> pool_pb2.RequestPoolRequest:
    """The request."""
    unknown = ", ".join(sorted(wanted.keys() - Wanted.__annotations__.keys()))
    if unknown:
        raise TypeError(f"a request has no {unknown}; it has: {', '.join(Wanted.__annotations__)}")
    if not group:
        raise SettingsError("group: it is needed; `sproutctl group list` shows which there are")
    if count < 0:
        raise SettingsError(f"count: {count} appliances cannot be had")
    date, priority = wanted.get("date"), wanted.get("priority")
    return pool_pb2.RequestPoolRequest(
        request_id=wanted.get("request_id") or str(uuid.uuid4()),
        group=group,
        count=count,
        version=wanted.get("version"),
        date=None if date is None else iso_date(date),
        provider=wanted.get("provider"),
        provider_type=wanted.get("provider_type"),
        template_type=_template_type(wanted.get("template_type")),
        unconfigured=wanted.get("unconfigured", False),
        update=wanted.get("update", False),
        lease=to_proto(wanted.get("lease")),
        description=wanted.get("description", ""),
        memory_mib=wanted.get("memory_mib"),
        cpus=wanted.get("cpus"),
        priority=f"PRIORITY_{priority.name}" if priority else None,
        keep_alive=to_proto(wanted.get("keep_alive")),
        wait_limit=to_proto(wanted.get("wait_limit")),
    )


def iso_date(text: str) -> str:
    """YYYY-MM-DD, of that or YYYYMMDD or, as the replaced system had it, YYMMDD."""
    found = DATE.fullmatch(text)
    if found is None:
        raise SettingsError(f"date: `{text}` is no build date; write YYYY-MM-DD")
    return "20{}-{}-{}".format(*found.groups())


def _template_type(wanted: TemplateType | str | None) -> str | None:
    if wanted is None:
        return None
    if isinstance(wanted, str):
        try:
            wanted = LEGACY_TYPES.get(wanted) or TemplateType(wanted)
        except ValueError:
            wanted = TemplateType.UNKNOWN
    if wanted is TemplateType.UNKNOWN:
        names = ", ".join(kind.value for kind in TemplateType if kind is not TemplateType.UNKNOWN)
        raise SettingsError(f"template_type: it is one of {names}")
    return f"TEMPLATE_TYPE_{wanted.name}"


def lease_of(pool: pool_pb2.Pool) -> timedelta:
    """The lease that a pool was given; the server says it also where none was asked for."""
    return duration(pool.lease.ToTimedelta())
