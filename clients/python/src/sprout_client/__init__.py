"""A client of Sprout, which lends test appliances.

```python
from sprout_client import SproutClient

with SproutClient.from_environment() as client, client.checkout("downstream-511z", count=2, lease="2h") as pool:
    for appliance in pool:
        print(appliance.name, appliance.address, appliance.url())
```
"""

from ._request import Wanted
from .aio import AsyncAppliance, AsyncSproutClient
from .aio_checkout import AsyncCheckout
from .checkout import Checkout
from .client import Appliance, SproutClient
from .durations import Time
from .errors import (
    AlreadyExists,
    ApplianceNotFound,
    Busy,
    GroupNotFound,
    HoldLimit,
    InvalidRequest,
    LeaseLost,
    LeaseTooLong,
    LimitReached,
    NotAllowed,
    NoTemplate,
    NotFound,
    NotPossible,
    NotSignedIn,
    OperationFailed,
    OverrideNotAllowed,
    PoolFailed,
    PoolNotFound,
    ProviderNotFound,
    ProviderNotUsable,
    QuotaExceeded,
    Refused,
    RequestIdReused,
    ScopeTooNarrow,
    ServerFault,
    SettingsError,
    SproutError,
    TemplateNotFound,
    TooManyAttempts,
    Unavailable,
    Unreachable,
    Unsupported,
    UserDisabled,
    WaitTimeout,
    WrongPassword,
    WrongState,
)
from .models import ApplianceInfo, ApplianceState, Endpoint, PoolInfo, PoolState, PowerState, Priority, TemplateType
from .rpc import Rpc
from .settings import DEFAULT_SERVER, Settings

__all__ = [
    "DEFAULT_SERVER",
    "AlreadyExists",
    "Appliance",
    "ApplianceInfo",
    "ApplianceNotFound",
    "ApplianceState",
    "AsyncAppliance",
    "AsyncCheckout",
    "AsyncSproutClient",
    "Busy",
    "Checkout",
    "Endpoint",
    "GroupNotFound",
    "HoldLimit",
    "InvalidRequest",
    "LeaseLost",
    "LeaseTooLong",
    "LimitReached",
    "NoTemplate",
    "NotAllowed",
    "NotFound",
    "NotPossible",
    "NotSignedIn",
    "OperationFailed",
    "OverrideNotAllowed",
    "PoolFailed",
    "PoolInfo",
    "PoolNotFound",
    "PoolState",
    "PowerState",
    "Priority",
    "ProviderNotFound",
    "ProviderNotUsable",
    "QuotaExceeded",
    "Refused",
    "RequestIdReused",
    "Rpc",
    "ScopeTooNarrow",
    "ServerFault",
    "Settings",
    "SettingsError",
    "SproutClient",
    "SproutError",
    "TemplateNotFound",
    "TemplateType",
    "Time",
    "TooManyAttempts",
    "Unavailable",
    "Unreachable",
    "Unsupported",
    "UserDisabled",
    "WaitTimeout",
    "Wanted",
    "WrongPassword",
    "WrongState",
]
