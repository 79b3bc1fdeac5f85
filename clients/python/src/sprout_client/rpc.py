"""The calls of the API, as the protos name them. Those that are not listed here can be made with `Rpc.of` and `client.call`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message

from .errors import SettingsError
from .proto.sprout.appliance.v1 import appliance_pb2 as appliance
from .proto.sprout.group.v1 import group_pb2 as group
from .proto.sprout.pool.v1 import pool_pb2 as pool
from .proto.sprout.user.v1 import user_pb2 as user
from .proto.sprout.workflow.v1 import workflow_pb2 as workflow

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
Res_co = TypeVar("Res_co", bound=Message, covariant=True)


@dataclass(frozen=True)
class Rpc(Generic[Req, Res]):
    """One call."""

    path: str
    """`/package.Service/Method`."""
    request: type[Req]
    """What is sent."""
    response: type[Res]
    """What is answered; of a stream: each message."""
    streams: bool
    """Whether the server answers with a stream."""

    @classmethod
    def of(cls, file: FileDescriptor, service: str, method: str, request: type[Req], response: type[Res]) -> Rpc[Req, Res]:
        """A call by its names in a proto, checked against it. `file` is the `DESCRIPTOR` of the generated module."""
        try:
            found = file.services_by_name[service].methods_by_name[method]
        except KeyError:
            raise SettingsError(f"{file.name} has no call {service}.{method}") from None
        # `==` would compare what may be the same proto loaded twice.
        if (found.input_type.full_name, found.output_type.full_name) != (
            request.DESCRIPTOR.full_name,
            response.DESCRIPTOR.full_name,
        ):
            raise SettingsError(f"{service}.{method} takes a {found.input_type.name} and gives a {found.output_type.name}")
        return cls(f"/{file.package}.{service}/{method}", request, response, found.server_streaming)


def _pool(method: str, request: type[Req], response: type[Res]) -> Rpc[Req, Res]:
    return Rpc.of(pool.DESCRIPTOR, "PoolService", method, request, response)


def _appliance(method: str, request: type[Req], response: type[Res]) -> Rpc[Req, Res]:
    return Rpc.of(appliance.DESCRIPTOR, "ApplianceService", method, request, response)


def _user(method: str, request: type[Req], response: type[Res]) -> Rpc[Req, Res]:
    return Rpc.of(user.DESCRIPTOR, "UserService", method, request, response)


REQUEST_POOL = _pool("RequestPool", pool.RequestPoolRequest, pool.RequestPoolResponse)
GET_POOL = _pool("GetPool", pool.GetPoolRequest, pool.GetPoolResponse)
LIST_POOLS = _pool("ListPools", pool.ListPoolsRequest, pool.ListPoolsResponse)
WATCH_POOL = _pool("WatchPool", pool.WatchPoolRequest, pool.WatchPoolResponse)
EXPLAIN_POOL = _pool("ExplainPool", pool.ExplainPoolRequest, pool.ExplainPoolResponse)
EXTEND_POOL = _pool("ExtendPool", pool.ExtendPoolRequest, pool.ExtendPoolResponse)
KEEP_POOL_ALIVE = _pool("KeepPoolAlive", pool.KeepPoolAliveRequest, pool.KeepPoolAliveResponse)
DESCRIBE_POOL = _pool("DescribePool", pool.DescribePoolRequest, pool.DescribePoolResponse)
KILL_POOL = _pool("KillPool", pool.KillPoolRequest, pool.KillPoolResponse)

GET_APPLIANCE = _appliance("GetAppliance", appliance.GetApplianceRequest, appliance.GetApplianceResponse)
LIST_APPLIANCES = _appliance("ListAppliances", appliance.ListAppliancesRequest, appliance.ListAppliancesResponse)
KILL_APPLIANCE = _appliance("KillAppliance", appliance.KillApplianceRequest, appliance.KillApplianceResponse)
EXTEND_APPLIANCE = _appliance("ExtendAppliance", appliance.ExtendApplianceRequest, appliance.ExtendApplianceResponse)
HOLD_APPLIANCE = _appliance("HoldAppliance", appliance.HoldApplianceRequest, appliance.HoldApplianceResponse)
UNHOLD_APPLIANCE = _appliance("UnholdAppliance", appliance.UnholdApplianceRequest, appliance.UnholdApplianceResponse)
DESCRIBE_APPLIANCE = _appliance("DescribeAppliance", appliance.DescribeApplianceRequest, appliance.DescribeApplianceResponse)
WATCH_APPLIANCE_LOGS = _appliance("WatchApplianceLogs", appliance.WatchApplianceLogsRequest, appliance.WatchApplianceLogsResponse)
START_APPLIANCE = _appliance("StartAppliance", appliance.StartApplianceRequest, appliance.StartApplianceResponse)
STOP_APPLIANCE = _appliance("StopAppliance", appliance.StopApplianceRequest, appliance.StopApplianceResponse)
REBOOT_APPLIANCE = _appliance("RebootAppliance", appliance.RebootApplianceRequest, appliance.RebootApplianceResponse)
SUSPEND_APPLIANCE = _appliance("SuspendAppliance", appliance.SuspendApplianceRequest, appliance.SuspendApplianceResponse)
RESUME_APPLIANCE = _appliance("ResumeAppliance", appliance.ResumeApplianceRequest, appliance.ResumeApplianceResponse)
RESET_APPLIANCE = _appliance("ResetAppliance", appliance.ResetApplianceRequest, appliance.ResetApplianceResponse)

WATCH_WORKFLOW = Rpc.of(
    workflow.DESCRIPTOR,
    "WorkflowService",
    "WatchWorkflow",
    workflow.WatchWorkflowRequest,
    workflow.WatchWorkflowResponse,
)
LIST_GROUPS = Rpc.of(group.DESCRIPTOR, "GroupService", "ListGroups", group.ListGroupsRequest, group.ListGroupsResponse)
LOGIN = _user("Login", user.LoginRequest, user.LoginResponse)
LOGOUT = _user("Logout", user.LogoutRequest, user.LogoutResponse)
WHO_AM_I = _user("WhoAmI", user.WhoAmIRequest, user.WhoAmIResponse)
