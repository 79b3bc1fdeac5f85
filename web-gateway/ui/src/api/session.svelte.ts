// Who is signed in. What proves it is in a cookie that scripts cannot read; the gateway keeps it.
import { Role } from "$/gen/sprout/user/v1/user_pb";
import { SessionError } from "$/api/errors";

interface Answer {
  user: { id: string; name: string; role: keyof typeof roles };
  expires_at: string;
  /** Not in the answer of signing in. */
  server_version: string | null;
  gateway_version: string;
}
const roles = {
  ROLE_USER: Role.USER,
  ROLE_STAFF: Role.STAFF,
  ROLE_SUPERUSER: Role.SUPERUSER,
  ROLE_BOT: Role.BOT,
};

/** The cookie is prolonged this often while the page is seen. */
const PROLONG = 10 * 60_000;

class Session {
  /** `unknown` until the gateway was asked. */
  status: "unknown" | "out" | "in" = $state("unknown");
  name = $state("");
  role: Role = $state(Role.UNSPECIFIED);
  serverVersion = $state("");
  gatewayVersion = $state("");
  /** Why the gateway could not be asked; it is asked again. */
  trouble = $state("");
  /** It ended without anybody asking for it. */
  ended = $state(false);

  get staff(): boolean {
    return this.role === Role.STAFF || this.role === Role.SUPERUSER;
  }
  get superuser(): boolean {
    return this.role === Role.SUPERUSER;
  }

  /** Asks who is signed in, until there is an answer. */
  async begin(): Promise<void> {
    for (let wait = 300; this.status === "unknown"; wait = Math.min(wait * 1.7, 5000)) {
      await this.refresh();
      if (this.status === "unknown") await new Promise((done) => setTimeout(done, wait));
    }
  }

  /** Asks the gateway; what cannot be learnt changes nothing. */
  async refresh(): Promise<void> {
    try {
      this.#take(await call("GET"));
    } catch (error) {
      if (error instanceof SessionError && error.reason === "NOT_SIGNED_IN") this.#out(this.status === "in");
      else this.trouble = error instanceof SessionError ? error.message : "the gateway cannot be reached";
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    this.#take(await call("POST", { username, password }));
    this.ended = false;
    void this.refresh();
  }

  async signOut(everywhere = false): Promise<void> {
    await call("DELETE", undefined, everywhere);
    this.#out(false);
  }

  /** A call was refused because nobody is signed in. */
  expired(): void {
    if (this.status === "in") this.#out(true);
  }

  #take(answer: Answer | undefined): void {
    if (!answer) return;
    this.trouble = "";
    this.name = answer.user.name;
    this.role = roles[answer.user.role] ?? Role.USER;
    if (answer.server_version) this.serverVersion = answer.server_version;
    this.gatewayVersion = answer.gateway_version;
    this.status = "in";
  }

  #out(ended: boolean): void {
    this.trouble = "";
    this.ended = ended;
    this.status = "out";
  }
}

async function call(method: string, body?: object, everywhere = false): Promise<Answer | undefined> {
  let response: Response;
  try {
    response = await fetch(everywhere ? "/session?everywhere=true" : "/session", {
      method,
      ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
  } catch {
    throw new SessionError("SERVER_UNREACHABLE", "the gateway cannot be reached");
  }
  if (response.status === 204) return undefined;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Answer;
  const error = (answer as { error?: { reason: string; message: string } } | undefined)?.error;
  throw new SessionError(error?.reason ?? "UNKNOWN", error?.message ?? `the gateway answered ${response.status}`);
}

export const session = new Session();

setInterval(() => {
  if (session.status === "in" && document.visibilityState === "visible") void session.refresh();
}, PROLONG);
