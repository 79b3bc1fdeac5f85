"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, binary, installation


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has set for a Sprout of their own is not for these."""
    for name in [name for name in os.environ if name.startswith("SPROUT_") and not name.startswith("SPROUT_TEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")


@pytest.fixture(scope="session")
def sprout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of real processes."""
    if not all(Path(binary(name)).exists() for name in ("sprout", "sprout-sim", "sproutctl")):
        message = "sprout, sprout-sim or sproutctl is not built: cargo build -p sprout -p sprout-sim -p sproutctl"
        if os.environ.get("SPROUT_TEST_REQUIRE"):
            pytest.fail(message)
        pytest.skip(message)
    with installation(tmp_path_factory.mktemp("sprout")) as running:
        yield running
