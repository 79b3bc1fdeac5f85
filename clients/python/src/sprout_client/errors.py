"""Why something failed: the server could not be asked, it said no and why, or what was waited for came out badly.

Match on the class, or on `Refused.reason`; texts are for people and may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import PoolInfo


class SproutError(Exception):
    """Anything that went wrong here."""

    @property
    def hint(self) -> str | None:
        """What to do about it, where this side can tell."""
        return None

    @property
    def is_unavailable(self) -> bool:
        """Whether the same call may well succeed a moment later, on this server or another replica of it."""
        return False


class SettingsError(SproutError):
    """The settings or arguments make no sense; nothing was sent."""


class Unreachable(SproutError):
    """The server did not answer. What was asked may have been done or not."""

    def __init__(self, server: str, cause: str, *, refused: bool = False, unsent: bool = False) -> None:
        super().__init__(f"cannot reach the server at {server}: {cause}")
        self.server = server
        """Its URL."""
        self.cause = cause
        """What happened on the way."""
        self.refused = refused
        """Nobody listens there."""
        self.unsent = unsent
        """No connection came about, so nothing was sent."""

    @property
    def hint(self) -> str | None:
        """What to do about it."""
        if self.refused:
            return "is the server running? Name another one with SPROUT_SERVER"
        if "certificate" in self.cause.lower():
            return "if your own CA signed the server's certificate, name it with SPROUT_CA"
        return "check the address (SPROUT_SERVER), the network, and the server's log"

    @property
    def is_unavailable(self) -> bool:
        """It may be back in a moment."""
        return True


class Refused(SproutError):
    """The server answered with an error. The subclasses say of which kind."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        text = message or code.value[1]
        more = [f"{field}: {what}" for field, what in (fields or {}).items() if what not in text]
        super().__init__("; ".join([text, *more]))
        self.code = code
        """Its kind, in gRPC's words."""
        self.message = message
        """What was wrong, for people."""
        self.reason = reason
        """What exactly, for programs: `google.rpc.ErrorInfo.reason`."""
        self.metadata = dict(metadata or {})
        """Details that belong to the reason."""
        self.fields = dict(fields or {})
        """Which fields of the request are wrong, and what is wrong with them."""
        self.retry_after = retry_after
        """Try again after so many seconds."""

    @property
    def hint(self) -> str | None:
        """When to try again."""
        return None if self.retry_after is None else f"try again in {self.retry_after:.0f} s"

    @property
    def is_unavailable(self) -> bool:
        """Whether the server is but away for a moment."""
        return self.code is grpc.StatusCode.UNAVAILABLE


class InvalidRequest(Refused):
    """A value is wrong; `fields` says which."""


class LeaseTooLong(InvalidRequest):
    """Longer than the group allows; `metadata["max_seconds"]` says how long it may be."""


class NotFound(Refused):
    """There is no such thing, or none that you may see."""


class PoolNotFound(NotFound):
    """There is no such pool."""


class ApplianceNotFound(NotFound):
    """There is no such appliance."""


class GroupNotFound(NotFound):
    """There is no such group."""


class ProviderNotFound(NotFound):
    """There is no such provider."""


class TemplateNotFound(NotFound):
    """There is no such template."""


class NotSignedIn(Refused):
    """No, or a bad, or an expired token."""


class WrongPassword(NotSignedIn):
    """Name and password do not match."""


class UserDisabled(NotSignedIn):
    """The user may not sign in."""


class NotAllowed(Refused):
    """The user's role does not allow this."""


class OverrideNotAllowed(NotAllowed):
    """The user may not choose memory and CPUs."""


class ScopeTooNarrow(NotAllowed):
    """The token is not for this."""


class AlreadyExists(Refused):
    """It is there already."""


class RequestIdReused(AlreadyExists):
    """The request id was used for a different request."""


class NotPossible(Refused):
    """Not as things are."""


class NoTemplate(NotPossible):
    """No template fits the request, and none will without someone's doing."""


class ProviderNotUsable(NotPossible):
    """The provider asked for is disabled or failed its last check."""


class WrongState(NotPossible):
    """The subject is in a state in which this cannot be done."""


class Busy(NotPossible):
    """Something else is under way with the subject."""


class LimitReached(Refused):
    """There is a limit to what a user may have."""


class QuotaExceeded(LimitReached):
    """The quota; `metadata` says which, its limit, and what is used of it."""


class HoldLimit(LimitReached):
    """The user holds as many appliances as one may."""


class TooManyAttempts(LimitReached):
    """Too many wrong passwords; `retry_after` says when to come back."""


class Unsupported(Refused):
    """The provider cannot do this, or the server is older than this client."""


class Unavailable(Refused):
    """The server answers, but cannot work for the moment."""


class ServerFault(Refused):
    """A defect of the server; its log says more."""


class PoolFailed(SproutError):
    """The pool will not become ready: it failed, or was ended while it was waited for."""

    def __init__(self, pool: PoolInfo) -> None:
        why = f": {pool.status}" if pool.status else ""
        super().__init__(f"pool {pool.id} is {pool.state.value}{why}")
        self.pool = pool
        """The pool as it was seen last."""


class OperationFailed(SproutError):
    """What was begun on an appliance did not succeed."""


class WaitTimeout(SproutError, TimeoutError):
    """What was waited for did not happen in time. It goes on, unless it was released."""


class LeaseLost(SproutError):
    """The lease could not be kept: the appliances are gone, or will be."""


REASONS: dict[str, type[Refused]] = {
    "LEASE_TOO_LONG": LeaseTooLong,
    "POOL_NOT_FOUND": PoolNotFound,
    "APPLIANCE_NOT_FOUND": ApplianceNotFound,
    "GROUP_NOT_FOUND": GroupNotFound,
    "PROVIDER_NOT_FOUND": ProviderNotFound,
    "TEMPLATE_NOT_FOUND": TemplateNotFound,
    "WRONG_PASSWORD": WrongPassword,
    "USER_DISABLED": UserDisabled,
    "OVERRIDE_NOT_ALLOWED": OverrideNotAllowed,
    "SCOPE_TOO_NARROW": ScopeTooNarrow,
    "REQUEST_ID_REUSED": RequestIdReused,
    "NO_TEMPLATE": NoTemplate,
    "PROVIDER_NOT_USABLE": ProviderNotUsable,
    "WRONG_STATE": WrongState,
    "BUSY": Busy,
    "QUOTA_EXCEEDED": QuotaExceeded,
    "HOLD_LIMIT": HoldLimit,
    "TOO_MANY_ATTEMPTS": TooManyAttempts,
}
"""Reasons that have a class of their own."""

CODES: dict[grpc.StatusCode, type[Refused]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNAUTHENTICATED: NotSignedIn,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: NotPossible,
    grpc.StatusCode.ABORTED: NotPossible,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitReached,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.INTERNAL: ServerFault,
    grpc.StatusCode.UNKNOWN: ServerFault,
    grpc.StatusCode.DATA_LOSS: ServerFault,
}
"""The others go by their code."""
