// One call of each rpc, as people make it: with grpcurl, Python, and sproutctl.
export interface Field {
  name: string;
  type: string;
  label: string;
  oneof: boolean;
  comment: string;
}
export interface Type {
  comment: string;
  fields?: Field[];
  values?: { name: string; comment: string }[];
}
export interface Rpc {
  name: string;
  comment: string;
  request: string;
  response: string;
  streams: boolean;
}
export interface Service {
  name: string;
  package: string;
  comment: string;
  rpcs: Rpc[];
}
export interface Reference {
  services: Service[];
  types: Record<string, Type>;
}

/** Calls that no command makes, and why. */
export const uncommanded: Record<string, string> = {
  "WorkerService/Join": "sprout-worker makes it by itself, the first time it is started with a join token (sproutctl worker token ID).",
  "WorkerService/RenewCertificate": "sprout-worker makes it by itself, before its certificate runs out.",
};

/** The command that makes the call. */
export const commands: Record<string, string> = {
  "ApplianceService/AttachDisk": "sproutctl appliance attach-disk 12 1024",
  "ApplianceService/DescribeAppliance": 'sproutctl appliance describe 12 "for the upgrade tests"',
  "ApplianceService/DetachDisk": "sproutctl appliance detach-disk 12",
  "ApplianceService/ExtendAppliance": "sproutctl appliance extend 12 4h",
  "ApplianceService/ForgetAppliance": "sproutctl appliance forget 12",
  "ApplianceService/GetAppliance": "sproutctl appliance get 12",
  "ApplianceService/GetConsole": "sproutctl appliance console 12",
  "ApplianceService/HoldAppliance": 'sproutctl appliance hold 12 --reason "a crash" --for 2d',
  "ApplianceService/KillAppliance": "sproutctl appliance kill 12",
  "ApplianceService/ListAppliances": "sproutctl appliance list --pool 7",
  "ApplianceService/RebootAppliance": "sproutctl appliance reboot 12",
  "ApplianceService/RenameAppliance": "sproutctl appliance rename 12 db-1",
  "ApplianceService/ResetAppliance": "sproutctl appliance reset 12",
  "ApplianceService/ResumeAppliance": "sproutctl appliance resume 12",
  "ApplianceService/StartAppliance": "sproutctl appliance start 12",
  "ApplianceService/StopAppliance": "sproutctl appliance stop 12",
  "ApplianceService/SuspendAppliance": "sproutctl appliance suspend 12",
  "ApplianceService/UnholdAppliance": "sproutctl appliance unhold 12",
  "ApplianceService/WatchAppliance": "sproutctl appliance watch 12",
  "ApplianceService/WatchApplianceLogs": "sproutctl appliance logs 12 -f",
  "AuditService/ListRecords": "sproutctl audit list --refused --since 1d",
  "CatalogueService/GetStatus": "sproutctl catalogue status",
  "CatalogueService/ReadNames": "sproutctl catalogue name cfme-59022-0101",
  "CatalogueService/Sync": "sproutctl catalogue sync --wait",
  "CleanupService/CreateRule": "sproutctl cleanup rule add '^jenkins-' --older-than 4h",
  "CleanupService/DeleteRule": "sproutctl cleanup rule delete 3",
  "CleanupService/ListRules": "sproutctl cleanup rule list",
  "CleanupService/Plan": "sproutctl cleanup plan",
  "ConfigService/GetConfigStatus": "sproutctl config status",
  "EventService/ListEvents": "sproutctl event list",
  "EventService/Watch": "sproutctl event watch",
  "GroupService/GetGroup": "sproutctl group get downstream-511z",
  "GroupService/ListGroups": "sproutctl group list",
  "JobService/ListJobRuns": "sproutctl job history provider-check",
  "JobService/ListJobs": "sproutctl job list",
  "JobService/PauseJob": "sproutctl job pause provider-check",
  "JobService/ResumeJob": "sproutctl job resume provider-check",
  "JobService/RunJob": "sproutctl job run provider-check --wait",
  "PoolService/ClonePool": "sproutctl pool clone 7",
  "PoolService/DescribePool": 'sproutctl pool describe 7 "nightly"',
  "PoolService/ExplainPool": "sproutctl pool why 7",
  "PoolService/ExtendPool": "sproutctl pool extend 7 4h",
  "PoolService/GetPool": "sproutctl pool get 7",
  "PoolService/KeepPoolAlive": "sproutctl pool request downstream-511z --keep-alive 2m --wait",
  "PoolService/KillPool": "sproutctl pool kill 7",
  "PoolService/KillPools": "sproutctl pool kill-all",
  "PoolService/ListPools": "sproutctl pool list",
  "PoolService/MergePools": "sproutctl pool merge 7 8",
  "PoolService/RequestPool": "sproutctl pool request downstream-511z -n 2 --lease 2h --wait",
  "PoolService/TransferPool": "sproutctl pool transfer 7 bob",
  "PoolService/WatchPool": "sproutctl pool watch 7",
  "ProviderService/CheckProvider": "sproutctl provider check lab-docker --wait",
  "ProviderService/CheckProviders": "sproutctl provider check --wait",
  "ProviderService/CloseCircuit": "sproutctl provider close-circuit lab-docker",
  "ProviderService/DeleteMachine": "sproutctl machine delete lab-docker jenkins-4711",
  "ProviderService/GetProvider": "sproutctl provider get lab-docker",
  "ProviderService/ListMachines": "sproutctl machine list lab-docker --kind leaked,untracked",
  "ProviderService/ListProviders": "sproutctl provider list",
  "ProviderService/StartMachine": "sproutctl machine start lab-docker jenkins-4711",
  "ProviderService/StopMachine": "sproutctl machine stop lab-docker jenkins-4711",
  "ProviderService/UpdateProvider": "sproutctl provider disable lab-docker",
  "ShepherdService/ListShepherds": "sproutctl shepherd list",
  "ShepherdService/PlanShepherd": "sproutctl shepherd plan downstream-511z --preconfigured 3",
  "ShepherdService/SetShepherd": "sproutctl shepherd set downstream-511z --preconfigured 3",
  "StatsService/Query": "sproutctl stats --since 24h --step 10m",
  "TaskService/CancelTask": "sproutctl task cancel 112",
  "TaskService/GetTask": "sproutctl task get 112",
  "TaskService/ListTasks": "sproutctl task list",
  "TaskService/RetryTask": "sproutctl task retry 112",
  "TaskService/WatchTaskLogs": "sproutctl task logs 112 -f",
  "TemplateService/DeleteTemplate": "sproutctl template delete 5 --wait",
  "TemplateService/GetTemplate": "sproutctl template get 5",
  "TemplateService/ListTemplates": "sproutctl template list --group downstream-511z",
  "TemplateService/Plan": "sproutctl template plan",
  "TemplateService/PrepareTemplate": "sproutctl template prepare 5 --wait",
  "TemplateService/ReleaseTemplate": "sproutctl template release 5",
  "TemplateService/WatchTemplateLogs": "sproutctl template logs 5 -f",
  "UsageService/QueryUsage": "sproutctl usage --by user,provider --from 2026-01-01",
  "UserGroupService/CreateUserGroup": "sproutctl user-group create testers",
  "UserGroupService/DeleteUserGroup": "sproutctl user-group delete testers",
  "UserGroupService/GetUserGroup": "sproutctl user-group get testers",
  "UserGroupService/ListUserGroups": "sproutctl user-group list",
  "UserGroupService/UpdateUserGroup": "sproutctl user-group add testers --user alice --provider lab-docker",
  "UserService/ChangePassword": "sproutctl user passwd alice",
  "UserService/CreateToken": "sproutctl token create ci --scope use",
  "UserService/CreateUser": "sproutctl user create alice",
  "UserService/GetUser": "sproutctl user get alice",
  "UserService/ListTokens": "sproutctl token list",
  "UserService/ListUsers": "sproutctl user list",
  "UserService/Login": "sproutctl login alice",
  "UserService/Logout": "sproutctl logout",
  "UserService/LogoutEverywhere": "sproutctl logout --everywhere",
  "UserService/RevokeToken": "sproutctl token revoke 4",
  "UserService/SetQuota": "sproutctl quota set alice --appliances 20",
  "UserService/UpdateUser": "sproutctl user update alice --role staff",
  "UserService/WhoAmI": "sproutctl whoami",
  "WorkerService/CreateJoinToken": "sproutctl worker token w2",
  "WorkerService/DrainWorker": "sproutctl worker drain w1",
  "WorkerService/GetWorker": "sproutctl worker get w1",
  "WorkerService/ListJoinTokens": "sproutctl worker tokens",
  "WorkerService/ListWorkers": "sproutctl worker list",
  "WorkerService/RemoveWorker": "sproutctl worker remove w1",
  "WorkerService/RevokeJoinTokens": "sproutctl worker revoke-token w2",
  "WorkerService/UndrainWorker": "sproutctl worker undrain w1",
  "WorkflowService/CancelWorkflow": "sproutctl workflow cancel 31",
  "WorkflowService/GetWorkflow": "sproutctl workflow get 31",
  "WorkflowService/ListWorkflows": "sproutctl workflow list --appliance 12",
  "WorkflowService/Ping": "sproutctl workflow ping lab-docker -n 1000",
  "WorkflowService/WatchWorkflow": "sproutctl appliance stop 12",
};

const samples: Record<string, unknown> = {
  request_id: "6f1c2a3e-0b1d-4c55-9e0a-1f2d3c4b5a69",
  group: "downstream-511z",
  count: 2,
  provider: "lab-docker",
  key: "lab-docker",
  owner: "bob",
  user: "alice",
  name: "alice",
  description: "nightly",
  reason: "a crash",
  role: "ROLE_USER",
  scope: "TOKEN_SCOPE_USE",
  name_pattern: "^jenkins-",
  members: ["alice"],
  old_password: "…",
  new_password: "…",
  password: "…",
};
const NUMBERS: Record<string, string> = { id: "7", target_id: "7", source_id: "8", size_mib: "1024" };
/** Fields without which the call makes no sense, beside those that are neither optional nor lists. */
const WANTED = new Set(["members", "disabled"]);

/** A request as JSON, with the fields that a first call needs. */
export function sample(message: string, types: Record<string, Type>, depth = 0): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  let chosen = false;
  for (const field of types[message]?.fields ?? []) {
    if (field.name.startsWith("page_") || field.name === "priority" || field.name === "never_expire") continue;
    if (field.label && !WANTED.has(field.name)) continue;
    if (field.oneof) {
      if (chosen) continue;
      chosen = true;
    }
    if (field.name in samples) {
      found[field.name] = field.type === "uint32" || typeof samples[field.name] !== "number" ? samples[field.name] : String(samples[field.name]);
    } else if (field.type === "google.protobuf.Duration") found[field.name] = "7200s";
    else if (field.type === "uint64") found[field.name] = NUMBERS[field.name] ?? "7";
    else if (field.type === "string") {
      if (field.name === "id") found[field.name] = "w1";
    } else if (depth < 1 && types[field.type]?.fields) found[field.name] = sample(field.type, types, depth + 1);
  }
  return found;
}

/** The service's own field values where the general ones are misleading. */
const own: Record<string, Record<string, unknown>> = {
  JobService: { name: "provider-check" },
  GroupService: { name: "downstream-511z" },
  UserGroupService: { name: "testers" },
  ApplianceService: { id: "12", name: "db-1" },
  TaskService: { id: "112" },
  TemplateService: { id: "5" },
  WorkflowService: { id: "31" },
  "UserService/CreateToken": { name: "ci" },
  "UserService/SetQuota": { quota: { appliances: 20 } },
  "UserGroupService/UpdateUserGroup": { add_members: ["alice"], add_providers: ["lab-docker"] },
  "ProviderService/UpdateProvider": { disabled: true },
  "ShepherdService/SetShepherd": { shepherd: { group: "downstream-511z", preconfigured: 3 } },
  "ShepherdService/PlanShepherd": { shepherd: { group: "downstream-511z", preconfigured: 3 } },
  "StatsService/Query": { step: "600s" },
  "UsageService/QueryUsage": { by: ["USAGE_DIMENSION_USER", "USAGE_DIMENSION_PROVIDER"] },
  "ApplianceService/GetAppliance": { id: "12" },
};

export function requestOf(service: Service, rpc: Rpc, types: Record<string, Type>): Record<string, unknown> {
  const fields = new Set((types[rpc.request]?.fields ?? []).map((field) => field.name));
  const special = own[`${service.name}/${rpc.name}`] ?? {};
  const general = Object.fromEntries(Object.entries(own[service.name] ?? {}).filter(([name]) => fields.has(name) && name in sample(rpc.request, types)));
  return { ...sample(rpc.request, types), ...general, ...special };
}

export function grpcurl(service: Service, rpc: Rpc, types: Record<string, Type>): string {
  const request = requestOf(service, rpc, types);
  const data = Object.keys(request).length > 0 ? `  -d '${JSON.stringify(request)}' \\\n` : "";
  const auth = rpc.name === "Login" || rpc.name === "Join" ? "" : '  -H "authorization: Bearer $SPROUT_TOKEN" \\\n';
  return `grpcurl ${auth ? "\\\n" : "\\\n"}${auth}${data}  sprout.example.com:7600 ${service.package}.${service.name}/${rpc.name}`;
}

function python(text: unknown): string {
  if (typeof text === "string") return /^\d+$/.test(text) ? text : /^[A-Z]+_[A-Z_]+$/.test(text) ? `"${text}"` : JSON.stringify(text);
  if (typeof text === "boolean") return text ? "True" : "False";
  if (Array.isArray(text)) return `[${text.map(python).join(", ")}]`;
  if (typeof text === "object" && text !== null) return `{${Object.entries(text).map(([name, one]) => `"${name}": ${python(one)}`).join(", ")}}`;
  return String(text);
}

export function pythonCall(service: Service, rpc: Rpc, types: Record<string, Type>): string {
  const module = `${service.name.replace(/Service$/, "").replace(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()}_pb2`;
  const request = requestOf(service, rpc, types);
  const durations = Object.entries(request).filter(([, one]) => one === "7200s");
  const names = Object.entries(request).map(([name, one]) => (one === "7200s" ? `${name}=Duration(seconds=7200)` : `${name}=${python(one)}`));
  const short = (name: string) => name.split(".").pop() ?? name;
  return [
    ...(durations.length > 0 ? ["from google.protobuf.duration_pb2 import Duration"] : []),
    "from sprout_client import SproutClient",
    `from sprout_client.proto.${service.package} import ${module}`,
    "from sprout_client.rpc import Rpc",
    "",
    `rpc = Rpc.of(${module}.DESCRIPTOR, "${service.name}", "${rpc.name}",`,
    `             ${module}.${short(rpc.request)}, ${module}.${short(rpc.response)})`,
    "with SproutClient.from_environment() as client:",
    rpc.streams
      ? `    for message in client.stream(rpc, ${module}.${short(rpc.request)}(${names.join(", ")})):\n        print(message)`
      : `    print(client.call(rpc, ${module}.${short(rpc.request)}(${names.join(", ")})))`,
  ].join("\n");
}
