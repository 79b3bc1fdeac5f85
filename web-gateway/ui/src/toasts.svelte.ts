// What was done, or was not, told in a corner. Errors stay until they are put away.
import { sentence } from "$/api/errors";

interface Toast {
  id: number;
  kind: "good" | "bad";
  text: string;
}
const SHOWN = 5_000;

class Toasts {
  all: Toast[] = $state([]);
  #next = 0;

  good(text: string): void {
    const id = this.#add("good", text);
    setTimeout(() => this.close(id), SHOWN);
  }
  bad(error: unknown): void {
    this.#add("bad", typeof error === "string" ? error : sentence(error));
  }
  close(id: number): void {
    this.all = this.all.filter((one) => one.id !== id);
  }
  #add(kind: Toast["kind"], text: string): number {
    const id = this.#next++;
    // The same one is not told twice over.
    this.all = [...this.all.filter((one) => one.text !== text), { id, kind, text }].slice(-4);
    return id;
  }
}
export const toasts = new Toasts();

/** Does something, and tells when it was refused. Whether it was done. */
export async function act(what: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await what();
    if (done) toasts.good(done);
    return true;
  } catch (error) {
    toasts.bad(error);
    return false;
  }
}
