"""Where the server is and who calls: arguments, environment, and sproutctl's configuration file, in this order of precedence."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import yaml

from .errors import SettingsError

DEFAULT_SERVER = "http://127.0.0.1:7600"
"""Where a server listens unless it is told otherwise."""

FORM = "write https://HOST:PORT, or http://127.0.0.1:PORT for a server on this machine"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Settings:
    """How to reach a server, and as whom."""

    server: str = DEFAULT_SERVER
    """`https://host:port`, or `http://host:port` on this machine; several servers of one installation with commas between them."""
    token: str | None = field(default=None, repr=False)
    """Sent with each call."""
    user: str | None = None
    """Name to sign in with where there is no token."""
    password: str | None = field(default=None, repr=False)
    """The user's."""
    ca: str | None = None
    """PEM file with the certificates to trust instead of the system's."""
    insecure: bool = False
    """Allow `http://` to other machines: token and passwords then travel in the clear."""
    timeout: float = 30.0
    """An answer may take so many seconds."""

    def __post_init__(self) -> None:
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise SettingsError("the token has characters that no token has, or none; sign in again")
        if (self.user is None) != (self.password is None):
            raise SettingsError("a user and a password are needed, or neither: one of them is missing")
        if self.timeout <= 0:
            raise SettingsError("timeout: an answer takes more than no time")


@dataclass(frozen=True)
class Address:
    """One server."""

    url: str
    """As it was given."""
    target: str
    """`host:port`, as gRPC wants it."""
    tls: bool
    """Whether to speak TLS."""


def addresses(settings: Settings) -> list[Address]:
    """The servers, checked."""
    return [_address(server.strip(), settings.insecure) for server in settings.server.split(",")]


def _address(url: str, insecure: bool) -> Address:
    def wrong(why: str) -> SettingsError:
        return SettingsError(f"server address `{url}`: {why}")

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise wrong(f"{error}; {FORM}") from None
    tls = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise wrong(FORM)
    if not tls and not insecure and not _is_loopback(host):
        raise wrong("http:// to another machine would send passwords and tokens in the clear; use https://, or insecure if you must")
    shown = f"[{host}]" if ":" in host else host
    return Address(url, f"{shown}:{port or (443 if tls else 80)}", tls)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials(settings: Settings) -> grpc.ChannelCredentials:
    """Whom to trust over TLS."""
    return grpc.ssl_channel_credentials(root_certificates=_trusted(settings.ca))


def _trusted(ca: str | None) -> bytes | None:
    if ca is not None:
        try:
            pem = Path(ca).expanduser().read_bytes()
        except OSError as error:
            raise SettingsError(f"CA file {ca} cannot be read: {error.strerror}") from None
        if CERTIFICATE not in pem:
            raise SettingsError(f"CA file {ca} has no certificate; it must be a PEM file")
        return pem
    # gRPC would trust certificates of its own; what the system trusts is what its administrator says.
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in found).encode() or None


def from_environment(
    server: str | None = None,
    *,
    token: str | None = None,
    user: str | None = None,
    password: str | None = None,
    ca: str | None = None,
    insecure: bool | None = None,
    config: str | None = None,
    timeout: float = 30.0,
) -> Settings:
    """What is not given is read from SPROUT_SERVER, _CA, _TOKEN, _USER and _PASSWORD, then from sproutctl's file."""
    environment = {name: value for name, value in os.environ.items() if value}
    saved = load_config(config or environment.get("SPROUTCTL_CONFIG") or default_config())
    servers = server or environment.get("SPROUT_SERVER") or saved.server or DEFAULT_SERVER
    if token is None and user is None:
        token = environment.get("SPROUT_TOKEN")
        if token is None:
            user, password = environment.get("SPROUT_USER"), environment.get("SPROUT_PASSWORD")
    if token is None and user is None and password is None and saved.is_for(servers):
        token = saved.token
    return Settings(
        server=servers,
        token=token,
        user=user,
        password=password,
        ca=ca or environment.get("SPROUT_CA") or saved.ca,
        insecure=saved.insecure if insecure is None else insecure,
        timeout=timeout,
    )


@dataclass(frozen=True)
class Config:
    """What sproutctl's configuration file holds."""

    server: str | None = None
    ca: str | None = None
    insecure: bool = False
    token: str | None = field(default=None, repr=False)

    def is_for(self, servers: str) -> bool:
        """Whether its token is for all these: it is sent to no other."""
        mine = {server.strip() for server in (self.server or "").split(",")}
        return all(server.strip() in mine for server in servers.split(","))


def default_config() -> str | None:
    """`$XDG_CONFIG_HOME/sprout/config.yaml`, or `~/.config/sprout/config.yaml`."""
    for name, below in (("XDG_CONFIG_HOME", ""), ("HOME", ".config")):
        base = os.environ.get(name, "")
        if base.startswith("/"):
            return str(Path(base, below, "sprout", "config.yaml"))
    return None


def load_config(path: str | None) -> Config:
    """Reads it. One that is not there, or has nothing in it, is an empty one."""
    try:
        text = Path(path).read_text(encoding="utf-8") if path else ""
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"configuration file {path} cannot be read: {error}") from None
    data = read_yaml(text, str(path))
    return _config({} if data is None else data, str(path))


def _config(data: Any, path: str) -> Config:
    kinds = {"server": str, "ca": str, "insecure": bool, "token": str}
    if not isinstance(data, dict) or any(kinds.get(key) is not type(value) for key, value in data.items() if value is not None):
        raise SettingsError(
            f"configuration file {path} is not as sproutctl writes it: only {', '.join(kinds)}; `sproutctl login` writes it anew"
        )
    return Config(**{key: value for key, value in data.items() if value is not None})


def read_yaml(text: str, path: str) -> Any:
    """YAML, without what it holds in the error: it may be secret."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise SettingsError(f"{path}{where}: this is no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}") from None
