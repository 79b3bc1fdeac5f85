// URLs: each view and each filter has one, so that back, reload and links to colleagues work.
import { untrack } from "svelte";

/** Where the page is. `query` is reactive: a view reads its filters from it. */
class Location {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));
  /** Rises with each new page, so that focus and scrolling follow. */
  visits = $state(0);

  /** One filter; empty where it is not set. */
  get(name: string): string {
    return this.query.get(name) ?? "";
  }

  /** Goes to a page of ours. */
  go(to: string, replace = false): void {
    const url = new URL(to, location.origin);
    const samePage = url.pathname === location.pathname;
    if (url.href !== location.href) history[replace ? "replaceState" : "pushState"](null, "", url);
    this.#read();
    if (!samePage) {
      this.visits += 1;
      scrollTo(0, 0);
    }
  }

  /** This page with other filters (empty: not set). What narrows a list begins it anew. */
  link(changes: Record<string, string>): string {
    const query = new URLSearchParams(this.query);
    if (!("page" in changes)) query.delete("page");
    for (const [name, value] of Object.entries(changes)) {
      if (value === "") query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    return `${this.path}${text ? `?${text}` : ""}`;
  }

  /** Sets filters. */
  set(changes: Record<string, string>, replace = false): void {
    this.go(untrack(() => this.link(changes)), replace);
  }

  #read(): void {
    this.path = location.pathname;
    if (location.search.slice(1) !== untrack(() => this.query).toString()) this.query = new URLSearchParams(location.search);
  }

  constructor() {
    addEventListener("popstate", () => {
      this.#read();
      this.visits += 1;
    });
    // Links are ordinary ones: only a plain click on one that stays here is taken over.
    document.addEventListener("click", (event) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      const link = (event.target as Element).closest?.("a[href]");
      if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
      if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
      event.preventDefault();
      this.go(link.href);
    });
  }
}

export const here = new Location();

/** The values in `path` by the names in `pattern` (`/pools/:id`), if it fits. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? "";
    if (part.startsWith(":")) {
      if (text === "") return undefined;
      try {
        found[part.slice(1)] = decodeURIComponent(text);
      } catch {
        return undefined;
      }
    } else if (part !== text) return undefined;
  }
  return found;
}

/** A path of ours with values in it. */
export function to(strings: TemplateStringsArray, ...values: (string | number | bigint)[]): string {
  return strings.reduce((path, text, index) => path + encodeURIComponent(String(values[index - 1])) + text);
}
