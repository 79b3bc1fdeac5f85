"""The options, with the names that the replaced plugin had, and what they ask for."""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sprout_client import Priority, Settings, SettingsError
from sprout_client._request import pool_request
from sprout_client.durations import duration
from sprout_client.proto.sprout.pool.v1 import pool_pb2
from sprout_client.settings import from_environment, read_yaml

USER_KEY = "sprout"
"""The credentials' key where none is named."""
CREDENTIALS = ("conf/credentials.yaml", "conf/credentials.local.yaml")
ENCRYPTED = "conf/credentials.eyaml"
JENKINS = re.compile(r"(Jenkins.*?)(\d*)")


@dataclass(frozen=True)
class Wanted:
    """What the options ask for."""

    request: pool_pb2.RequestPoolRequest
    provision_timeout: timedelta
    hold: timedelta | None
    """How long the appliances of failed tests are held."""
    settings: Settings


def add_options(parser: pytest.Parser) -> None:
    """Adds them."""
    group = parser.getgroup("sprout", "test appliances from Sprout")

    def add(name: str, **what: Any) -> None:
        group.addoption(f"--sprout-{name}", dest=f"sprout_{name.replace('-', '_')}", **what)

    group.addoption("--use-sprout", dest="use_sprout", action="store_true", help="Run on appliances from Sprout.")
    add("appliances", type=int, default=1, metavar="N", help="How many appliances; xdist's workers share them (default: 1).")
    add("timeout", default="60", metavar="TIME", help="Lease: how long they outlive a killed run; minutes, or 2h (default: 60).")
    add("provision-timeout", default="60", metavar="TIME", help="How long to wait for them; minutes, or 2h (default: 60).")
    add("group", metavar="GROUP", help="Group (template stream) to take them from.")
    add("version", metavar="VERSION", help="Only this version (default: the newest).")
    add("date", metavar="DATE", help="Only this build date, YYYY-MM-DD or YYMMDD (default: the newest of the version).")
    add("desc", default=None, metavar="TEXT", help="Description of the pool. `Jenkins JOB NUMBER` ends older pools of the same job first.")
    add("override-ram", type=int, default=0, metavar="MIB", help="Memory of each appliance in MiB (0: as its template has it).")
    add("override-cpu", type=int, default=0, metavar="N", help="CPUs of each appliance (0: as its template has it).")
    add("provider", metavar="KEY", help="Only on this provider.")
    add("provider-type", metavar="TYPE", help="Only on providers of this type.")
    add("template-type", metavar="TYPE", help="Only templates of this type: virtual_machine, container, docker_vm.")
    add("ignore-preconfigured", action="store_true", help="Of unconfigured templates: ready means on.")
    add("user-key", metavar="KEY", help="Key of conf/credentials.yaml with user name and password.")
    add("hold-on-failure", metavar="TIME", help="Hold the appliances of failed tests so long after the run, such as 2h.")


def wanted(config: pytest.Config) -> Wanted:
    """Reads them. UsageError says what is wrong."""

    def get(name: str) -> Any:
        return config.getoption(f"sprout_{name}")

    if get("appliances") < 1:
        raise pytest.UsageError("--sprout-appliances: a run needs at least one")
    if not get("group"):
        raise pytest.UsageError("--use-sprout needs --sprout-group GROUP; `sproutctl group list` shows which there are")
    try:
        provision_timeout = minutes("--sprout-provision-timeout", get("provision_timeout"))
        request = pool_request(
            get("group"),
            get("appliances"),
            version=get("version"),
            date=get("date"),
            provider=get("provider"),
            provider_type=get("provider_type"),
            template_type=get("template_type"),
            unconfigured=get("ignore_preconfigured"),
            lease=minutes("--sprout-timeout", get("timeout")),
            description=description(get("desc")),
            memory_mib=get("override_ram") or None,
            cpus=get("override_cpu") or None,
            priority=Priority.BATCH if os.environ.get("CI") else None,
            keep_alive="1m",
            wait_limit=provision_timeout,
        )
        hold = minutes("--sprout-hold-on-failure", get("hold_on_failure")) if get("hold_on_failure") else None
        return Wanted(request, provision_timeout, hold, settings(get("user_key"), config.rootpath))
    except SettingsError as error:
        raise pytest.UsageError(f"sprout: {error}") from None


def minutes(option: str, text: str) -> timedelta:
    """A bare number is minutes, as it was."""
    try:
        return duration(f"{text}m" if text.isdigit() else text)
    except SettingsError as error:
        raise SettingsError(f"{option}: {error}") from None


def description(given: str | None) -> str:
    """Who runs this, where nobody says it."""
    if given is not None:
        return given
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"pytest of {user} on {socket.gethostname()}"


def jenkins_job(text: str) -> tuple[str, int | None] | None:
    """Job and build number, if it is the description of a Jenkins build."""
    found = JENKINS.fullmatch(text)
    return (found[1], int(found[2]) if found[2] else None) if found else None


def settings(user_key: str | None, root: Path) -> Settings:
    """Where the server is and who calls: environment, credentials, and sproutctl's configuration file, in this order."""
    found = from_environment()
    environment = any(os.environ.get(name) for name in ("SPROUT_TOKEN", "SPROUT_USER"))
    if environment or (user_key is None and found.token is not None):
        return found
    user = credentials(user_key, root)
    if user is None:
        return found
    return from_environment(user=user[0], password=user[1])


def credentials(user_key: str | None, root: Path) -> tuple[str, str] | None:
    """User name and password of a key of the credentials; none if nobody named a key and the usual one is not there."""
    key, entry = user_key or USER_KEY, {}
    for name in CREDENTIALS:
        path = root / name
        if path.is_file():
            data = read_yaml(path.read_text(encoding="utf-8"), str(path))
            if isinstance(data, dict) and isinstance(data.get(key), dict):
                entry.update(data[key])
    user, password = entry.get("username", entry.get("principal")), entry.get("password", entry.get("secret"))
    if isinstance(user, str) and isinstance(password, str):
        return user, password
    if user_key is None and not entry:
        return None
    encrypted = " (encrypted ones are not read here: set SPROUT_USER and SPROUT_PASSWORD)" if (root / ENCRYPTED).is_file() else ""
    raise SettingsError(f"{' and '.join(CREDENTIALS)} in {root} have no username and password for the key `{key}`{encrypted}")
