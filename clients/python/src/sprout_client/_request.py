"""What is asked for, checked as far as this side can and made with its id before anything is sent."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

from .durations import Time, duration, to_proto
from .errors import SettingsError
from .models import Priority, TemplateType
from .proto.sprout.pool.v1 import pool_pb2

KEEP_ALIVE = timedelta(seconds=60)
"""While a checkout waits, it is dropped when its client was not heard of for this long."""

LEGACY_TYPES = {"openshift_pod": TemplateType.CONTAINER}
DATE = re.compile(r"(?:20)?(\d\d)-?(\d\d)-?(\d\d)", re.ASCII)


def pool_request(
    group: str,
    count: int = 1,
    *,
    version: str | None = None,
    date: str | None = None,
    provider: str | None = None,
    provider_type: str | None = None,
    template_type: TemplateType | str | None = None,
    unconfigured: bool = False,
    lease: Time | None = None,
    description: str = "",
    memory_mib: int | None = None,
    cpus: int | None = None,
    priority: Priority | None = None,
    keep_alive: Time | None = None,
    wait_limit: Time | None = None,
    request_id: str | None = None,
) -> pool_pb2.RequestPoolRequest:
    """The request. The same `request_id` gives the same pool, for good."""
    if not group:
        raise SettingsError("group: it is needed; `sproutctl group list` shows which there are")
    if count < 0:
        raise SettingsError(f"count: {count} appliances cannot be had")
    return pool_pb2.RequestPoolRequest(
        request_id=request_id or str(uuid.uuid4()),
        group=group,
        count=count,
        version=version,
        date=None if date is None else iso_date(date),
        provider=provider,
        provider_type=provider_type,
        template_type=_template_type(template_type),
        unconfigured=unconfigured,
        lease=to_proto(lease),
        description=description,
        memory_mib=memory_mib,
        cpus=cpus,
        priority=f"PRIORITY_{priority.name}" if priority else None,
        keep_alive=to_proto(keep_alive),
        wait_limit=to_proto(wait_limit),
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
