// What all tests share: an installation, and pages of somebody who is signed in, on which no error may be told by the browser.
import { type Page, test as base } from "@playwright/test";
import { Installation } from "./installation.ts";

interface Worker {
  sprout: Installation;
}
interface Each {
  /** A page of this user, on the page named. */
  open: (user: string, path?: string, options?: { width?: number; height?: number; dark?: boolean }) => Promise<Page>;
}

export const test = base.extend<Each, Worker>({
  sprout: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const sprout = await Installation.start();
      await use(sprout);
      await sprout.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  open: async ({ browser, sprout }, use) => {
    const errors: string[] = [];
    const contexts: { close: () => Promise<void> }[] = [];
    await use(async (user, path = "/", options = {}) => {
      const context = await browser.newContext({
        baseURL: sprout.url,
        viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
        colorScheme: options.dark ? "dark" : "light",
        reducedMotion: "reduce",
        permissions: ["clipboard-read", "clipboard-write"],
      });
      contexts.push(context);
      const [name = "", value = ""] = (await sprout.session(user)).split(/=(.*)/);
      await context.addCookies([{ name, value, url: sprout.url, httpOnly: true, sameSite: "Strict" }]);
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => {
        // That something could not be fetched is said by the page itself; what the policy refused is not.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(message.text());
      });
      await page.goto(path);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    if (errors.length > 0) throw new Error(`the browser told of errors:\n${errors.join("\n")}`);
  },
});
export { expect, type Page } from "@playwright/test";
