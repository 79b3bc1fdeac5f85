// A whole Sprout of real processes for one worker of the tests: the all-in-one on SQLite, two simulated providers, and the gateway with the built UI.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { trackerbot } from "./places.ts";

export const PASSWORD = "correct horse battery";
const ROOT = resolve(import.meta.dirname, "../../..");
const PATIENCE = 30_000;

export const binary = (name: string): string => join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug", name);

// The all-in-one has a gateway of its own; the one that is tested is a process of its own, which stays when the server is killed.
const settings = (port: number, spare: number, bot: number, data: string) => `
server:
  listen: 127.0.0.1:${port}
  data_dir: ${data}
  groups:
    downstream-511z:
      template_pattern: 'cfme-(?<version>5\\.11\\.[0-9.]+)-(?<date>\\d{8})'
      max_lease: 72h
      endpoints: {web: {port: 80, scheme: http}, ssh: {port: 22}}
      probes: [{endpoint: web, http: {path: /version}, deadline: 20s, timeout: 2s}]
    upstream:
      template_pattern: 'sim-(?<version>[0-9.]+)'
      endpoints: {web: {port: 80, scheme: http}}
      probes: [{endpoint: web, http: {path: /version}, deadline: 20s, timeout: 2s}]
    downstream-510z:
      catalogue: hubber
      endpoints: {web: {port: 80, scheme: http}}
      probes: [{endpoint: web, http: {path: /version}, deadline: 20s, timeout: 2s}]
      prepare: {automatic: false, configure: [{http: {endpoint: web, path: /version}}]}
    downstream-59z:
      endpoints: {web: {port: 80, scheme: http}}
      probes: [{endpoint: web, http: {path: /version}, deadline: 20s, timeout: 2s}]
      prepare: {automatic: false, configure: [{http: {endpoint: web, path: /version}}]}
  catalogues: {hubber: {url: 'http://127.0.0.1:${bot}'}}
web_gateway:
  listen: 127.0.0.1:${spare}
`;
const gatewaySettings = (port: number, gateway: number) => `
web_gateway:
  listen: 127.0.0.1:${gateway}
  server: http://127.0.0.1:${port}
`;
const providers = (one: number, two: number, three: number) => `
management_systems:
  lab-one:
    name: Lab one
    type: sim
    use_for_sprout: true
    sprout: {endpoint: 'http://127.0.0.1:${one}', provisioning_limit: 4, appliance_limit: 8}
  lab-two:
    name: Lab two
    type: sim
    use_for_sprout: true
    sprout: {endpoint: 'http://127.0.0.1:${two}', provisioning_limit: 2, appliance_limit: 4}
  lab-three:
    name: Lab three
    type: sim
    use_for_sprout: true
    sprout: {endpoint: 'http://127.0.0.1:${three}', provisioning_limit: 2, appliance_limit: 6, configuring_limit: 2}
`;
const simulation = (templates: string) => `
templates: {${templates}}
capacity: {memory_mib: 65536, cpus: 32}
latency: {create: 400, start: 100, boot: 150, ready: 150}
`;

/** Of the system's own choice; nobody else is given the same at once. */
async function ports(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((done) => {
      const server = createServer();
      server.listen(0, "127.0.0.1", () => done(server));
    })),
  );
  const found = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return found;
}

/** Repeats until it does not throw. */
export async function until<T>(what: string, attempt: () => T | Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw new Error(`${what}: ${String(error)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

export class Installation {
  readonly dir = mkdtempSync(join(tmpdir(), "sprout-ui-"));
  url = "";
  #port = 0;
  /** Where these providers listen. */
  labOne = 0;
  labThree = 0;
  #settings: string | undefined;
  #bot: Server | undefined;
  #processes = new Map<string, ChildProcess>();
  #sessions = new Map<string, Promise<string>>();

  static async start(): Promise<Installation> {
    const made = new Installation();
    try {
      await made.#begin();
    } catch (error) {
      await made.stop();
      throw error;
    }
    return made;
  }

  async #begin(): Promise<void> {
    for (const name of ["sprout", "sprout-sim", "sproutctl", "sprout-web-gateway"]) {
      if (!existsSync(binary(name))) throw new Error(`${binary(name)} is not built: cargo build -p sprout -p sprout-sim -p sproutctl -p sprout-web-gateway`);
    }
    const [port = 0, gateway = 0, one = 0, two = 0, three = 0, first = 0, second = 0, third = 0, spare = 0, bot = 0] = await ports(10);
    this.#port = port;
    [this.labOne, this.labThree] = [one, three];
    this.url = `http://127.0.0.1:${gateway}`;
    this.#bot = trackerbot(bot, [
      { provider: "lab-three", name: "cfme-5.10.9.0-20200601", group: "downstream-510z", usable: true },
      { provider: "lab-three", name: "cfme-5.10.8.0-20200301", group: "downstream-510z", usable: false },
      { provider: "lab-three", name: "cfme-5.10.9.1-20200701", group: "downstream-510z", usable: true },
      { provider: "lab-three", name: "cfme-newest", group: "downstream-510z", usable: true },
    ]);
    const write = (name: string, text: string) => writeFileSync(join(this.dir, name), text);
    write("sprout.yaml", settings(port, spare, bot, join(this.dir, "data")));
    write("gateway.yaml", gatewaySettings(port, gateway));
    write("cfme_data.yaml", providers(one, two, three));
    write("one.yaml", simulation("sim-1.0: '1.0', sim-1.1: '1.1', cfme-5.11.7.3-20200910: 5.11.7.3, cfme-5.11.8.0-20201012: 5.11.8.0, cfme-5.11.8.0-20201020: 5.11.8.0"));
    write("two.yaml", simulation("sim-1.1: '1.1', cfme-5.11.8.0-20201012: 5.11.8.0"));
    write("three.yaml", simulation("cfme-5.10.9.0-20200601: 5.10.9.0, cfme-5.10.8.0-20200301: 5.10.8.0, cfme-5.10.8.0-extdb-20200301: 5.10.8.0, cfme-5.9.9.3-20190101: 5.9.9.3, cfme-newest: '5.10'"));
    this.#run("sprout-sim", "three", "--listen", `127.0.0.1:${three}`, "--appliance-port", String(third), "--state", join(this.dir, "sim-three"), "--config", join(this.dir, "three.yaml"));
    this.#run("sprout-sim", "one", "--listen", `127.0.0.1:${one}`, "--appliance-port", String(first), "--state", join(this.dir, "sim-one"), "--config", join(this.dir, "one.yaml"));
    this.#run("sprout-sim", "two", "--listen", `127.0.0.1:${two}`, "--appliance-port", String(second), "--state", join(this.dir, "sim-two"), "--config", join(this.dir, "two.yaml"));
    execFileSync(binary("sprout"), ["--config", this.#config, "create-superuser", "--name", "admin", "--password-stdin"], { input: PASSWORD, stdio: ["pipe", "ignore", "pipe"] });
    this.startServer();
    this.#run("sprout-web-gateway", "gateway", "--config", join(this.dir, "gateway.yaml"));
    await until("the server is up", () => this.signIn("admin"));
    for (const name of ["alice", "bob"]) this.control(["user", "create", name, "--password-stdin"], PASSWORD);
    this.control(["user-group", "create", "testers", "--user", "alice", "--user", "bob", "--provider", "lab-one"]);
    this.control(["quota", "set", "alice", "--pools", "12", "--appliances", "20"]);
    this.control(["provider", "check", "--wait"]);
    for (const name of ["alice", "bob"]) this.signIn(name);
    await until("the gateway is up", async () => {
      const answer = await fetch(this.url, { headers: { accept: "text/html" } });
      if (!(await answer.text()).includes("/assets/")) throw new Error("the UI is not built: npm run build");
    });
  }

  get #config(): string {
    return join(this.dir, "sprout.yaml");
  }

  #run(name: string, as: string, ...args: string[]): ChildProcess {
    const log = openSync(join(this.dir, `${as}.log`), "a");
    const process = spawn(binary(name), args, { stdio: ["ignore", log, log] });
    this.#processes.set(as, process);
    return process;
  }

  startServer(): void {
    this.#run("sprout", "server", "--config", this.#config);
  }

  /** Adds lines to the configuration of the server, which reads it anew by itself; nothing: as it was. */
  configure(lines = ""): void {
    this.#settings ??= readFileSync(this.#config, "utf8");
    writeFileSync(this.#config, this.#settings + lines);
  }

  /** The provider does nothing until it goes on: what is under way there stays so. */
  hold(provider: "one" | "three", hold: boolean): void {
    this.#processes.get(provider)?.kill(hold ? "SIGSTOP" : "SIGCONT");
  }

  /** As a machine that fails: nothing is finished first. */
  async killServer(): Promise<void> {
    const server = this.#processes.get("server");
    if (!server) return;
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGKILL");
    await ended;
  }

  /** The cookie of a session of this user in browsers. Passwords are hashed slowly on purpose, so that all pages share one. */
  session(name: string): Promise<string> {
    const begin = async () => {
      const answer = await fetch(`${this.url}/session`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: this.url },
        body: JSON.stringify({ username: name, password: PASSWORD }),
      });
      const cookie = answer.headers.getSetCookie()[0]?.split(";")[0];
      if (!answer.ok || !cookie) throw new Error(`signing in: ${answer.status} ${await answer.text()}`);
      return cookie;
    };
    const known = this.#sessions.get(name) ?? begin();
    this.#sessions.set(name, known);
    return known;
  }

  /** It was ended: the next page needs another one. */
  forget(name: string): void {
    this.#sessions.delete(name);
  }

  signIn(name: string): void {
    this.#control(name, ["login", name, "--password-stdin"], PASSWORD);
  }

  /** Runs sproutctl, and reads what it says. */
  control<T = unknown>(args: string[], input = "", as = "admin"): T {
    const output = this.#control(as, ["-o", "json", ...args], input);
    return (output.trim() ? JSON.parse(output.trim().split("\n").at(-1)?.startsWith("{") && !output.trim().startsWith("[") && output.includes("\n{") ? `[${output.trim().split("\n").join(",")}]` : output) : undefined) as T;
  }

  #control(as: string, args: string[], input = ""): string {
    return execFileSync(binary("sproutctl"), args, {
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: this.dir, XDG_CONFIG_HOME: join(this.dir, `of-${as}`), SPROUT_SERVER: `http://127.0.0.1:${this.#port}` },
    });
  }

  async stop(): Promise<void> {
    this.#bot?.close();
    await Promise.all(
      [...this.#processes.values()].map(async (one) => {
        if (one.exitCode !== null || one.signalCode !== null) return;
        one.kill("SIGCONT");
        const ended = new Promise((done) => one.once("exit", done));
        one.kill("SIGTERM");
        const timer = setTimeout(() => one.kill("SIGKILL"), 5000);
        await ended;
        clearTimeout(timer);
      }),
    );
    if (!process.env.SPROUT_TEST_KEEP) rmSync(this.dir, { recursive: true, force: true });
  }
}
