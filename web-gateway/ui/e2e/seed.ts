// What there is to see on the pages: pools in several states, something held, something warm, and a little of everything that staff set up.
import type { Installation } from "./installation.ts";
import { installation, machine } from "./places.ts";

interface Pool {
  id: number;
  appliances: { id: number }[];
}

export interface Seeded {
  pool: number;
  waiting: number;
  appliance: number;
  workflow: number;
  task: number;
  unprepared: number;
}

const seeded = new WeakMap<Installation, Seeded>();

export async function seed(sprout: Installation): Promise<Seeded> {
  const known = seeded.get(sprout);
  if (known) return known;
  const last = <T>(found: T | T[]): T => (Array.isArray(found) ? (found.at(-1) as T) : found);
  const request = (as: string, ...args: string[]) => last(sprout.control<Pool | Pool[]>(["pool", "request", ...args], "", as));
  request("alice", "downstream-511z", "-n", "2", "--description", "nightly UI tests", "--provider", "lab-one", "--lease", "8h", "--wait");
  const mine = request("admin", "upstream", "-n", "2", "--description", "a crash to look into", "--provider", "lab-one", "--wait");
  request("admin", "upstream", "-n", "3", "--description", "performance comparison", "--provider", "lab-two", "--lease", "3h", "--wait");
  const pool = last(sprout.control<Pool | Pool[]>(["pool", "get", String(mine.id)]));
  const appliance = pool.appliances[0]?.id ?? 0;
  sprout.control(["appliance", "hold", String(appliance), "--reason", "a crash to be looked into", "--for", "1d"]);
  sprout.control(["appliance", "describe", String(appliance), "crashed at 12:30"]);
  sprout.control(["appliance", "stop", String(pool.appliances[1]?.id ?? 0)]);
  const waiting = request("admin", "upstream", "-n", "3", "--description", "waits for room", "--provider", "lab-two");
  sprout.control(["shepherd", "set", "downstream-511z", "--preconfigured", "2", "--wait"]);
  sprout.control(["shepherd", "set", "upstream", "--for", "testers", "--max", "4", "--min", "0", "--window", "mon-fri@08:00-18:00=1"]);
  sprout.control(["cleanup", "rule", "add", "^jenkins-", "--older-than", "4h", "--yes"]);
  sprout.control(["worker", "token", "w2"]);
  const found = sprout.control<{ id: number; name: string; provider: string }[]>(["template", "list"]).filter(({ provider }) => provider === "lab-three");
  const template = (name: string) => String(found.find((one) => one.name.startsWith(name))?.id);
  sprout.control(["template", "prepare", template("cfme-5.10.9.0"), "--wait"]);
  const [prepared] = sprout.control<{ appliance_id: number }[]>(["workflow", "list", "--kind", "prepare", "--state", "succeeded"]);
  await machine(sprout.labThree, "jenkins-4711", "cfme-5.9.9.3-20190101");
  await machine(sprout.labThree, "somebody-elses", "cfme-5.9.9.3-20190101");
  const name = sprout.control<{ name: string }>(["appliance", "get", String(prepared?.appliance_id)]).name;
  await machine(sprout.labThree, name, "cfme-5.9.9.3-20190101", { installationId: await installation(sprout.labOne), applianceId: BigInt(prepared?.appliance_id ?? 0), epoch: 99n });
  sprout.control(["job", "run", "refresh", "--wait"]);
  // As it is there now it stays.
  sprout.hold("three", true);
  const workflows = sprout.control<{ id: number; kind: string; tasks: { id: number }[] }[]>(["workflow", "list", "--appliance", String(appliance)]);
  const deploy = workflows.find((one) => one.kind === "deploy");
  const detail = last(sprout.control<{ tasks: { id: number }[] } | { tasks: { id: number }[] }[]>(["workflow", "get", String(deploy?.id)]));
  const made = { pool: mine.id, waiting: waiting.id, appliance, workflow: deploy?.id ?? 0, task: detail.tasks[0]?.id ?? 0, unprepared: Number(template("cfme-5.9")) };
  seeded.set(sprout, made);
  return made;
}
