"""The process that runs the session: it requests, keeps and gives back."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from sprout_client import Checkout, LeaseLost, PoolInfo, SproutClient, SproutError
from sprout_client.durations import words

from .lent import PROPERTY, Lent, spread
from .options import Wanted, jenkins_job

GRACE = timedelta(seconds=30)
"""The server says why it could not fulfil a request in time; only if it does not, we do."""
TEXT_LIMIT = 200


class Controller:
    """Makes one request for the whole run."""

    def __init__(self, config: pytest.Config, wanted: Wanted) -> None:
        self._config, self._wanted = config, wanted
        self._client = SproutClient(settings=wanted.settings)
        self._checkout: Checkout | None = None
        self._session: pytest.Session | None = None
        self._shares: list[list[int]] = []
        self._free: list[int] = []
        """Numbers of shares that nobody has."""
        self._nodes: dict[str, int] = {}
        """Which worker has which share."""
        self._held: dict[int, list[str]] = {}
        """Appliances that are held, and for which tests."""
        self._lines: list[str] = []
        self._began = self._ready = time.monotonic()
        self._is_over = False

    # The session.

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Gets the appliances, before anything is collected and before xdist starts its workers."""
        self._session = session
        request = self._wanted.request
        self._checkout = checkout = Checkout(
            self._client, request, timeout=self._wanted.provision_timeout + GRACE, progress=self._progress()
        )
        checkout.on_lost, checkout.on_signal = self._lost, stop
        try:
            self._end_older_builds(request.description)
            self._say(f"requesting {request.count} of {request.group} from {self._client.server}")
            checkout.acquire()
        except SproutError as error:
            self._close()
            hint = f" ({error.hint})" if error.hint else ""
            raise pytest.exit.Exception(f"sprout: {error}{hint}", returncode=3) from None
        except BaseException:
            self._close()
            raise
        self._ready = time.monotonic()
        ids = [appliance.id for appliance in checkout.appliances]
        self._shares = [ids]
        self._config.pluginmanager.register(Lent(checkout.message, ids, self._client), "sprout-lent")

    def _end_older_builds(self, description: str) -> None:
        job = jenkins_job(description)
        if job is None:
            return
        name, number = job
        for pool in self._client.list_pools(owner=self._client.who_am_i(), description_part=name):
            other = jenkins_job(pool.description)
            if other is None or other[0] != name or (number is not None and (other[1] or 0) > number):
                continue
            self._say(f"ending pool {pool.id} of an older build: {pool.description}")
            self._client.kill_pool(pool.id)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Gives them back, once no test uses them any more."""
        self._end()

    def pytest_unconfigure(self) -> None:
        """The same, if the session did not come that far."""
        self._end()

    def _end(self) -> None:
        if self._is_over or self._checkout is None:
            return
        self._is_over = True
        for appliance in self._held:
            self._hold(appliance)  # so long from now
        try:
            self._checkout.release()
        except SproutError as error:
            self._lines.append(f"NOT given back: {error}; the lease ends by itself, `sproutctl pool kill` does it at once")
        finally:
            self._close()

    def _close(self) -> None:
        self._is_over = True
        self._client.close()

    def _lost(self, lost: LeaseLost) -> None:
        self._lines.append(f"LOST: {lost}")
        # xdist has a session of its own; both look at this between two tests.
        for session in (self._session, self._config.pluginmanager.get_plugin("dsession")):
            if session is not None:
                session.shouldstop = f"sprout: {lost}"

    # Failures.

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Holds what a failed test had, at once: what comes next may kill this process."""
        if not report.failed or self._wanted.hold is None:
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                for appliance in map(int, str(value).split(",")):
                    tests = self._held.setdefault(appliance, [])
                    if report.nodeid not in tests:
                        tests.append(report.nodeid)
                    if len(tests) == 1:
                        self._hold(appliance)

    def _hold(self, appliance: int) -> None:
        reason = f"failed: {', '.join(self._held[appliance])}"[:TEXT_LIMIT]
        try:
            held = self._client.get_appliance(appliance).hold(self._wanted.hold or GRACE, reason)
        except SproutError as error:
            self._lines.append(f"appliance {appliance} could NOT be held: {error}")
            return
        if self._is_over:
            until = f"{held.held_until:%Y-%m-%d %H:%M} UTC" if held.held_until else "?"
            others = [f"{it.name} {it.host}:{it.port}" for it in held.endpoints if it.url is None]
            reach = ", ".join([it.url for it in held.endpoints if it.url] + others)
            self._lines.append(f"held until {until}: {held.name} at {reach or held.address}")
            self._lines.extend(f"  it failed {test}" for test in self._held[appliance])
            self._lines.append(f"  to end it: sproutctl appliance unhold {appliance}")

    # xdist.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Gives a worker its share; the one that replaces a crashed worker gets that one's."""
        if self._checkout is None:
            return
        if not self._nodes:
            self._shares = spread(self._shares[0], len(node.nodemanager.specs))
            self._free = list(range(len(self._shares)))
        number = self._free.pop(0) if self._free else len(self._nodes) % len(self._shares)
        self._nodes[node.gateway.id] = number
        share = self._shares[number]
        node.workerinput["sprout"] = Lent.for_worker(self._checkout.message, share, self._wanted.settings, self._client.token)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Ends what only this worker had, as it has no more tests; if it crashed, another one takes over."""
        number = self._nodes.pop(node.gateway.id, None)
        if number is None or self._is_over:
            return
        if error:
            self._free.append(number)
            return
        others = {appliance for other in [*self._nodes.values(), *self._free] for appliance in self._shares[other]}
        for appliance in self._shares[number]:
            if appliance not in others and appliance not in self._held:
                try:
                    self._client.get_appliance(appliance).kill()
                except SproutError as failed:
                    self._say(f"appliance {appliance} could not be ended early: {failed}")

    # What people see.

    def _progress(self) -> Any:
        said: list[str] = []

        def tell(pool: PoolInfo) -> None:
            text = str(pool)
            if said != [text]:
                said[:] = [text]
                self._say(text)

        return tell

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.getoption("verbose") > -2:
            reporter.write_line(f"sprout: {text}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was had, and what is still there."""
        if self._checkout is None or not self._checkout.is_acquired:
            return
        info = self._checkout.info
        waited, lent = self._ready - self._began, time.monotonic() - self._ready
        what = " ".join(part for part in (info.group, info.version, info.date) if part)
        terminalreporter.section("sprout", sep="-")
        terminalreporter.line(
            f"pool {info.id}: {info.count} of {what}, ready after {waited:.1f} s, lent for {words(timedelta(seconds=lent))}"
        )
        for line in self._lines:
            terminalreporter.line(line)


def stop(number: int) -> None:
    """Ends the session in an orderly way."""
    raise pytest.exit.Exception(f"signal {number}", returncode=128 + number)
