"""Durations as people write them: `90m`, `2h`, `1h30m`, `1d`, `45s`; the same as sproutctl's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Union

from google.protobuf.duration_pb2 import Duration

from .errors import SettingsError

Time = Union[timedelta, str, int, float]
"""A duration: a timedelta, seconds, or text such as `1h30m`."""

PATTERN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
UNITS = (86_400, 3_600, 60, 1)
LONGEST = timedelta(days=3_660)


def duration(time: Time) -> timedelta:
    """Reads a duration; it is longer than nothing."""
    wrong = f"`{time}` is no duration; write one such as 90m, 2h, 1h30m or 1d"
    if isinstance(time, str):
        found = PATTERN.fullmatch(time)
        if found is None:
            raise SettingsError(wrong)
        seconds = sum(int(number or 0) * unit for number, unit in zip(found.groups(), UNITS))
        if seconds > LONGEST.total_seconds():
            raise SettingsError(f"`{time}` is more than ten years")
        time = timedelta(seconds=seconds)
    elif not isinstance(time, timedelta):
        try:
            time = timedelta(seconds=time)
        except (OverflowError, ValueError):
            raise SettingsError(wrong) from None
    if time <= timedelta(0):
        raise SettingsError(wrong)
    if time > LONGEST:
        raise SettingsError(f"`{time}` is more than ten years")
    return time


def to_proto(time: Time | None) -> Duration | None:
    """As the protocol has it."""
    if time is None:
        return None
    message = Duration()
    message.FromTimedelta(duration(time))
    return message


def words(time: timedelta) -> str:
    """For people: `1h30m`."""
    rest = round(time.total_seconds())
    parts = []
    for unit, letter in zip(UNITS, "dhms"):
        number, rest = divmod(rest, unit)
        if number:
            parts.append(f"{number}{letter}")
    return "".join(parts) or "0s"
