"""The pytest plugin: appliances for a test run, requested once, spread over xdist's workers, and given back at its end.

```
pytest --use-sprout --sprout-group downstream-511z --sprout-appliances 4 -n 4
```

Fixtures: `sprout_pool`, `sprout_appliances` (of this worker), `sprout_appliance` (the first of them).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sprout_client import Appliance

from .controller import Controller
from .lent import Lent, SproutPool
from .options import add_options, wanted

__all__ = ["SproutPool"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Chooses which part this process plays."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        if "sprout" in workerinput:
            config.pluginmanager.register(Lent.of_worker(workerinput["sprout"]), "sprout-lent")
    elif config.getoption("use_sprout") and not any(config.getoption(name, False) for name in ("collectonly", "showfixtures", "setupplan")):
        config.pluginmanager.register(Controller(config, wanted(config)), "sprout-controller")


@pytest.fixture(scope="session")
def sprout_pool(request: pytest.FixtureRequest) -> SproutPool:
    """The pool of this test run."""
    lent = request.config.pluginmanager.get_plugin("sprout-lent")
    if not isinstance(lent, Lent):
        pytest.skip("this needs appliances: run with --use-sprout --sprout-group GROUP")
    return lent.pool


@pytest.fixture(scope="session")
def sprout_appliances(sprout_pool: SproutPool) -> Sequence[Appliance]:
    """The appliances that are for this worker's tests; without xdist, all."""
    return sprout_pool.mine


@pytest.fixture(scope="session")
def sprout_appliance(sprout_appliances: Sequence[Appliance]) -> Appliance:
    """The first of this worker's appliances."""
    return sprout_appliances[0]
