"""The pytest plugin, run by real pytest with and without xdist, against real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, until

TEST_WHAT_IT_GOT = """
    import json, os, pathlib, urllib.request
    import pytest

    @pytest.mark.parametrize("number", range(8))
    def test_it(number, sprout_pool, sprout_appliances, sprout_appliance):
        assert sprout_appliance is sprout_appliances[0]
        with urllib.request.urlopen(sprout_appliance.url(), timeout=10) as answer:
            assert answer.status == 200
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        note = {"pool": sprout_pool.id, "mine": [one.id for one in sprout_appliances], "all": len(sprout_pool.appliances)}
        pathlib.Path(f"{worker}.json").write_text(json.dumps(note))
"""
TEST_THAT_WAITS = """
    import os, pathlib, time

    def test_it(sprout_appliance):
        pathlib.Path("is-here").touch()
        time.sleep(600)
"""
TEST_THAT_FAILS = """
    def test_good(sprout_appliance):
        pass

    def test_bad(sprout_appliance):
        raise AssertionError("bad")
"""


class Run:
    """Runs pytest in a directory of its own."""

    def __init__(self, sprout: Installation, directory: Path) -> None:
        self.sprout, self.directory = sprout, directory
        self.environment = dict(sprout.environment)

    def write(self, test: str) -> None:
        (self.directory / "test_it.py").write_text(textwrap.dedent(test))

    def start(self, *options: str, use: bool = True) -> subprocess.Popen[str]:
        sprout = ["--use-sprout", "--sprout-group", "sim"] if use else []
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *sprout, *options]
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __call__(self, test: str, *options: str, use: bool = True) -> tuple[int, str]:
        self.write(test)
        with self.start(*options, use=use) as process:
            output, _ = process.communicate(timeout=180)
        return process.returncode, output

    def until_test_runs(self) -> None:
        def runs() -> None:
            assert (self.directory / "is-here").exists()

        until("the test runs", runs)

    def notes(self) -> dict[str, dict[str, Any]]:
        return {path.stem: json.loads(path.read_text()) for path in self.directory.glob("*.json")}


@pytest.fixture
def run(sprout: Installation, tmp_path: Path) -> Run:
    return Run(sprout, tmp_path)


def test_without_the_option_the_tests_are_skipped(run: Run) -> None:
    code, output = run(TEST_WHAT_IT_GOT, use=False)
    assert code == 0, output
    assert "8 skipped" in output
    assert "run with --use-sprout" in output
    assert run.sprout.pools() == []


def test_one_process_gets_all(run: Run) -> None:
    code, output = run(TEST_WHAT_IT_GOT, "--sprout-appliances", "2", "--sprout-desc", "mine")
    assert code == 0, output
    assert "8 passed" in output
    note = run.notes()["main"]
    assert (len(note["mine"]), note["all"]) == (2, 2)
    assert re.search(rf"pool {note['pool']}: 2 of sim 1\.0, ready after [0-9.]+ s, lent for \d+s", output), output
    assert run.sprout.pools() == []
    run.sprout.until_nothing_is_left()


def test_workers_share_one_request(run: Run) -> None:
    code, output = run(TEST_WHAT_IT_GOT, "-n", "2", "--sprout-appliances", "4")
    assert code == 0, output
    notes = run.notes()
    assert set(notes) == {"gw0", "gw1"}
    assert len({note["pool"] for note in notes.values()}) == 1
    assert sorted(len(note["mine"]) for note in notes.values()) == [2, 2]
    assert len({one for note in notes.values() for one in note["mine"]}) == 4
    run.sprout.until_nothing_is_left()


def test_more_workers_than_appliances_share_them(run: Run) -> None:
    code, output = run(TEST_WHAT_IT_GOT, "-n", "3", "--sprout-appliances", "2")
    assert code == 0, output
    assert [len(note["mine"]) for note in run.notes().values()] == [1, 1, 1]
    run.sprout.until_nothing_is_left()


def test_a_crashed_worker_leaves_its_share_to_the_next(run: Run) -> None:
    test = """
        import os, pathlib

        def test_crash(sprout_appliance):
            note = pathlib.Path("crashed")
            if not note.exists():
                note.write_text(str(sprout_appliance.id))
                os.kill(os.getpid(), 9)

        def test_after(sprout_appliance):
            pathlib.Path("after").write_text(str(sprout_appliance.id))
    """
    code, output = run(test, "-n", "1")
    assert code == 1, output
    assert (run.directory / "crashed").read_text() == (run.directory / "after").read_text()
    run.sprout.until_nothing_is_left()


@pytest.mark.parametrize("xdist", [(), ("-n", "2", "--sprout-appliances", "2")], ids=["alone", "xdist"])
def test_after_sigkill_the_lease_ends_and_nothing_leaks(run: Run, xdist: tuple[str, ...]) -> None:
    run.write(TEST_THAT_WAITS)
    with run.start("--sprout-timeout", "10s", *xdist) as process:
        run.until_test_runs()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        # xdist's workers notice and end by themselves; the one that sleeps in a test is not asked to wait for that.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert run.sprout.appliances()
    run.sprout.until_nothing_is_left()
    assert run.sprout.pools() == []


def test_a_lease_is_kept_during_a_run_that_is_longer(run: Run) -> None:
    test = """
        import time

        def test_it(sprout_pool):
            time.sleep(12)
            assert sprout_pool.client.get_pool(sprout_pool.id).state.value == "ready"
    """
    code, output = run(test, "-n", "1", "--sprout-timeout", "8s")
    assert code == 0, output
    run.sprout.until_nothing_is_left()


@pytest.mark.parametrize("xdist", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_lost_lease_ends_the_run(run: Run, xdist: tuple[str, ...]) -> None:
    test = """
        import time
        import pytest

        @pytest.mark.parametrize("number", range(600))
        def test_it(number, sprout_pool):
            if number == 0:
                sprout_pool.client.kill_pool(sprout_pool.id)
            time.sleep(0.1)
    """
    code, output = run(test, "--sprout-timeout", "4s", *xdist)
    assert code == 2, output
    assert re.search(r"^LOST: the lease of pool \d+ was lost: pool \d+ is end", output, re.MULTILINE), output
    run.sprout.until_nothing_is_left()


@pytest.mark.parametrize("xdist", [(), ("-n", "1")], ids=["alone", "xdist"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_gives_back_at_once(run: Run, xdist: tuple[str, ...], number: signal.Signals, code: int) -> None:
    run.write(TEST_THAT_WAITS)
    with run.start("--sprout-timeout", "600", *xdist) as process:
        run.until_test_runs()
        # A Ctrl-C reaches all processes of the terminal.
        os.killpg(process.pid, number) if number is signal.SIGINT else os.kill(process.pid, number)
        output, _ = process.communicate(timeout=180)
    assert process.returncode == code, output
    assert run.sprout.pools() == []
    run.sprout.until_nothing_is_left()


def test_an_interrupt_while_it_waits_leaves_nothing(run: Run) -> None:
    with run.sprout.client() as client, client.checkout("sim", count=4):
        run.write(TEST_THAT_WAITS)
        with run.start() as process:

            def waits() -> None:
                assert [pool["state"] for pool in run.sprout.pools()][:1] == ["waiting"]

            until("it waits", waits)
            os.kill(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=180)
        assert process.returncode == 2, output
        assert len(run.sprout.pools()) == 1
    run.sprout.until_nothing_is_left()


@pytest.mark.parametrize("xdist", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_what_failed_is_held(run: Run, xdist: tuple[str, ...]) -> None:
    code, output = run(TEST_THAT_FAILS, "--sprout-hold-on-failure", "2h", *xdist)
    assert code == 1, output
    found = re.search(
        r"held until .* UTC: \S+ at (http://\S+), ssh \S+:\d+\n +it failed test_it.py::test_bad\n +to end it: sproutctl (.+)", output
    )
    assert found, output
    (held,) = run.sprout.appliances()
    assert held["hold_reason"] == "failed: test_it.py::test_bad"
    with urllib.request.urlopen(found[1], timeout=10) as answer:
        assert answer.status == 200
    run.sprout.sproutctl(*found[2].split())
    run.sprout.until_nothing_is_left()


def test_what_passed_is_not_held(run: Run) -> None:
    code, output = run("def test_it(sprout_appliance): pass\n", "--sprout-hold-on-failure", "2h")
    assert code == 0, output
    run.sprout.until_nothing_is_left()


def test_a_jenkins_build_ends_older_ones_of_its_job(run: Run) -> None:
    with run.sprout.client() as client:
        older = client.request_pool("sim", description="Jenkins nightly 7")
        newer = client.request_pool("sim", description="Jenkins nightly 9")
        other = client.request_pool("sim", description="Jenkins nightly-upgrade 7")
        code, output = run("def test_it(sprout_appliance): pass\n", "--sprout-desc", "Jenkins nightly 8")
        assert code == 0, output
        assert {pool["id"] for pool in run.sprout.pools()} == {newer.id, other.id}
        assert f"ending pool {older.id}" in output
        for pool in (newer, other):
            client.kill_pool(pool.id)
    run.sprout.until_nothing_is_left()


def test_what_cannot_be_had_says_why(run: Run) -> None:
    test = "def test_it(sprout_appliance): pass\n"
    for options, code, message in (
        (("--sprout-version", "9.9"), 3, "9.9"),
        (("--sprout-timeout", "30d"), 3, "lease"),
        (("--sprout-timeout", "soon"), 4, "--sprout-timeout: `soon` is no duration"),
        (("--sprout-date", "yesterday"), 4, "date: `yesterday` is no build date"),
        (("--sprout-template-type", "box"), 4, "virtual_machine, container, docker_vm"),
        (("--sprout-appliances", "0"), 4, "--sprout-appliances"),
        (("--sprout-group", ""), 4, "--sprout-group GROUP"),
    ):
        done, output = run(test, *options)
        assert (done, message in output) == (code, True), output
    assert run.sprout.pools() == []


def test_user_and_password_come_from_environment_or_credentials(run: Run) -> None:
    del run.environment["SPROUT_TOKEN"]
    test = "def test_it(sprout_pool): assert sprout_pool.client.who_am_i() == 'alice'\n"
    code, output = run(test)
    assert code == 3, output
    run.environment.update(SPROUT_USER="alice", SPROUT_PASSWORD="correct horse battery")
    code, output = run(test, "-n", "1")
    assert code == 0, output
    for name in ("SPROUT_USER", "SPROUT_PASSWORD"):
        del run.environment[name]
    (run.directory / "conf").mkdir()
    (run.directory / "conf/credentials.yaml").write_text("ci: {principal: alice, secret: wrong}\n")
    (run.directory / "conf/credentials.local.yaml").write_text("ci: {secret: correct horse battery}\n")
    code, output = run(test, "--sprout-user-key", "ci")
    assert code == 0, output
    code, output = run(test, "--sprout-user-key", "nobody")
    assert (code, "the key `nobody`" in output) == (4, True), output
    run.sprout.until_nothing_is_left()
