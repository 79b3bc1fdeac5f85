"""A whole Sprout of real processes: the all-in-one on SQLite, with the simulated provider."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, TypeVar

from sprout_client import SproutClient, SproutError

T = TypeVar("T")
PASSWORD = "correct horse battery"
LONG = 90.0
ROOT = Path(__file__).resolve().parents[3]
CONFIG = """\
server:
  listen: 127.0.0.1:{port}
  data_dir: {data}
  holds_per_user: 2
  groups:
    sim:
      template_pattern: 'sim-(?<version>[0-9.]+)'
      endpoints: {{web: {{port: 80, scheme: http}}, ssh: {{port: 22}}}}
      probes: [{{endpoint: web, http: {{path: /version}}, deadline: 20s, timeout: 2s}}]
    none:
      template_pattern: 'none-(?<version>[0-9.]+)'
web_gateway: {{listen: '127.0.0.1:0'}}
"""
PROVIDERS = """\
management_systems:
  simulated:
    type: sim
    use_for_sprout: true
    sprout: {{endpoint: 'http://127.0.0.1:{port}', provisioning_limit: 4, appliance_limit: 4}}
"""


class Installation:
    """Where it is, and what can be done to it."""

    def __init__(self, directory: Path, processes: ExitStack) -> None:
        self.directory = directory
        self._processes = processes
        self.port, sim, appliances = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        (directory / "sprout.yaml").write_text(CONFIG.format(port=self.port, data=directory / "data"))
        (directory / "cfme_data.yaml").write_text(PROVIDERS.format(port=sim))
        self._start("sprout-sim", "--listen", f"127.0.0.1:{sim}", "--appliance-port", str(appliances), "--state",
                    str(directory / "sim"), "--templates", "sim-1.0=1.0", "--clone-latency", "100")  # fmt: skip
        self._sprout("create-superuser", "--name", "admin", "--password-stdin")
        self.server = self._start("sprout", *self._options())
        with SproutClient(self.url, user="admin", password=PASSWORD) as client:
            until("the server is up", client.groups)
        common = {"PATH": os.environ["PATH"], "HOME": str(directory), "SPROUT_SERVER": self.url, "PYTHONUNBUFFERED": "1"}
        self._admin = {**common, "SPROUT_TOKEN": self.sign_in("admin")}
        self.sproutctl("user", "create", "alice", "--password-stdin", password=PASSWORD)
        self.sproutctl("user-group", "create", "testers", "--user", "alice", "--provider", "simulated")
        self.sproutctl("provider", "check", "simulated", "--wait")
        # Whoever tests is an ordinary user.
        self.token = self.sign_in("alice")
        self.environment = {**common, "SPROUT_TOKEN": self.token}

    def _options(self) -> list[str]:
        return ["--config", str(self.directory / "sprout.yaml")]

    def _sprout(self, *arguments: str) -> None:
        subprocess.run([binary("sprout"), *self._options(), *arguments], input=PASSWORD, text=True, check=True, capture_output=True)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([binary(name), *arguments], stdout=log, stderr=log)
        self._processes.callback(end, process)
        return process

    def restart_server(self) -> None:
        """Kills it, and starts it again."""
        self.server.kill()
        self.server.wait()
        self.server = self._start("sprout", *self._options())

    def sign_in(self, user: str) -> str:
        """A token that nobody signs out."""
        output = self.directory / "login.yaml"
        command = [binary("sproutctl"), "--server", self.url, "--config", str(output), "login", user, "--password-stdin"]
        subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)
        (line,) = (line for line in output.read_text().splitlines() if line.startswith("token:"))
        return line.split(":", 1)[1].strip().strip("'\"")

    def sproutctl(self, *arguments: str, password: str = "") -> Any:
        """Runs it as the administrator, and reads what it says."""
        command = [binary("sproutctl"), "-o", "json", *arguments]
        done = subprocess.run(command, env=self._admin, input=password, text=True, check=True, capture_output=True)
        return json.loads(done.stdout)

    def appliances(self) -> list[dict[str, Any]]:
        """All that are not gone."""
        found: list[dict[str, Any]] = self.sproutctl("appliance", "list")
        return found

    def pools(self) -> list[dict[str, Any]]:
        """All that somebody has or waits for."""
        found: list[dict[str, Any]] = self.sproutctl("pool", "list")
        return [pool for pool in found if pool["state"] != "ending"]

    def until_nothing_is_left(self) -> None:
        """Waits until no appliance is there any more."""

        def nothing() -> None:
            left = self.appliances()
            assert not left, [(one["name"], one["state"], one["leased_until"]) for one in left]

        until("nothing is left", nothing)

    def client(self) -> SproutClient:
        """A client of it."""
        return SproutClient(self.url, token=self.token)


@contextmanager
def installation(directory: Path) -> Iterator[Installation]:
    """Starts one, and ends it."""
    with ExitStack() as processes:
        yield Installation(directory, processes)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends what was started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def binary(name: str) -> str:
    """Where cargo has put it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "debug" / name)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as sockets:
        taken = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in taken]


def until(what: str, look: Callable[[], T], seconds: float = LONG) -> T:
    """Looks again and again until it finds what is expected."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return look()
        except (AssertionError, SproutError, OSError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"never: {what}: {error}") from error
        time.sleep(0.05)
