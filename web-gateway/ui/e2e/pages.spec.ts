// Every page: nothing serious for axe in light and dark, nothing wider than a phone, and a picture of each, kept as test output. With SPROUT_UI_DOCS=1
// those of docs/ui.md are written, too.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Installation } from "./installation.ts";
import { seed, type Seeded } from "./seed.ts";
import { expect, type Page, test } from "./test.ts";

const SHOTS = join(import.meta.dirname, "../test-results/pages");
const DOCS = join(import.meta.dirname, "../../../docs/ui");

/** `undocumented`: much like another one. */
const pages: { name: string; path: (at: Seeded) => string; title: string | RegExp; undocumented?: true; before?: (sprout: Installation, at: Seeded) => unknown }[] = [
  { name: "pools", path: () => "/", title: "My pools" },
  { name: "pools-everyone", path: () => "/?owner=*", title: "Everyone's pools", undocumented: true },
  { name: "pool", path: (at) => `/pools/${at.pool}`, title: /^Pool /, undocumented: true },
  { name: "pool-waiting", path: (at) => `/pools/${at.waiting}`, title: /^Pool / },
  { name: "request", path: () => "/request?group=downstream-511z", title: "Request" },
  { name: "appliances", path: () => "/appliances", title: "Appliances" },
  { name: "appliance", path: (at) => `/appliances/${at.appliance}`, title: /^s_appl/ },
  { name: "providers", path: () => "/providers", title: "Providers" },
  { name: "provider", path: () => "/providers/lab-one", title: "Lab one" },
  { name: "provider-appliances", path: () => "/providers/lab-one?tab=appliances", title: "Lab one", undocumented: true },
  { name: "groups", path: () => "/groups", title: "Groups" },
  { name: "group", path: () => "/groups/downstream-511z", title: "downstream-511z" },
  { name: "templates", path: () => "/templates", title: "Templates" },
  { name: "template-plan", path: () => "/templates?tab=plan", title: "Templates", undocumented: true },
  { name: "preparations", path: () => "/preparations", title: "Template preparations", before: (sprout, at) => sprout.control(["template", "prepare", String(at.unprepared)]) },
  { name: "preparations-done", path: () => "/preparations?tab=workflows&state=all", title: "Template preparations", undocumented: true },
  { name: "preparations-steps", path: () => "/preparations?tab=steps", title: "Template preparations", undocumented: true },
  { name: "catalogues", path: () => "/catalogues", title: "Catalogues" },
  { name: "shepherd", path: () => "/shepherd", title: "Shepherd" },
  { name: "vms", path: () => "/vms?provider=lab-three", title: "VMs" },
  { name: "usage", path: () => "/usage", title: "Usage" },
  { name: "queue", path: () => "/queue", title: "Queue" },
  { name: "workers", path: () => "/workers", title: "Workers" },
  { name: "worker", path: () => "/workers/local?state=all", title: "local" },
  { name: "workflows", path: () => "/workflows?state=all", title: "Workflows" },
  { name: "workflow", path: (at) => `/workflows/${at.workflow}`, title: /^Workflow / },
  { name: "tasks", path: () => "/tasks?state=all", title: "Tasks" },
  { name: "task", path: (at) => `/tasks/${at.task}`, title: /^Task / },
  { name: "jobs", path: () => "/jobs", title: "Jobs" },
  { name: "job", path: () => "/jobs/refresh", title: "refresh" },
  { name: "events", path: () => "/events", title: "Events" },
  { name: "audit", path: () => "/audit", title: "Audit" },
  { name: "logs", path: (at) => `/logs?appliance=${at.appliance}`, title: "Logs" },
  { name: "users", path: () => "/users", title: "Users" },
  { name: "user", path: () => "/users/alice", title: "alice" },
  { name: "user-groups", path: () => "/user-groups", title: "User groups" },
  { name: "cleanup", path: () => "/cleanup", title: "Clean-up" },
  { name: "settings", path: () => "/settings", title: "Settings" },
  { name: "account", path: () => "/account", title: "Account" },
  { name: "reference", path: () => "/reference", title: "API reference" },
  { name: "reference-service", path: () => "/reference/PoolService", title: "PoolService" },
  { name: "not-found", path: () => "/nowhere", title: "", undocumented: true },
  // Last, so that a minute has passed and is written down.
  { name: "operations", path: () => "/operations", title: "Overview" },
];

/** As a link leads there: the page is not loaded anew, which would take most of the time. */
async function go(page: Page, at: Seeded, one: (typeof pages)[number]): Promise<void> {
  const path = one.path(at);
  await page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, path);
  await expect(page.locator("main")).toHaveAttribute("data-page", one.title ? path.replace(/\?.*/, "") : "");
  if (one.title) await expect(page.getByRole("heading", { level: 1, name: one.title })).toBeVisible();
  await settled(page, one);
  await page.evaluate(() => window.document.fonts.ready.then(() => undefined));
}

/** Everything is there. */
async function settled(page: Page, one: (typeof pages)[number]): Promise<void> {
  await expect(page.locator("main [aria-busy=true]")).toHaveCount(0);
  if (one.name === "operations") await expect(page.locator("canvas")).toHaveCount(6);
}

/** In dark only what depends on colours: the rest is the same page. */
async function serious(page: Page, colours = false): Promise<string[]> {
  const axe = new AxeBuilder({ page });
  const { violations } = await (colours ? axe.withRules(["color-contrast", "link-in-text-block"]) : axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? node.all[0]?.message ?? ""})`).join(" | ")}`);
}

/** Small enough for the repository: the browser itself makes a WebP of the picture. */
async function document(page: Page, name: string, png: Buffer): Promise<void> {
  const blank = await page.context().newPage();
  const webp = await blank.evaluate(async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = Object.assign(window.document.createElement("canvas"), { width: 1024, height: 640 });
    canvas.getContext("2d")?.drawImage(image, 0, 0, 1024, 640);
    return canvas.toDataURL("image/webp", 0.6);
  }, `data:image/png;base64,${png.toString("base64")}`);
  await blank.close();
  mkdirSync(DOCS, { recursive: true });
  writeFileSync(join(DOCS, `${name}.webp`), Buffer.from(webp.split(",")[1] ?? "", "base64"));
}

test.describe.configure({ mode: "parallel" });
// A trace of so many pages would take longer than all else.
test.use({ trace: "off" });
mkdirSync(SHOTS, { recursive: true });

/** The looks of a page: those of docs/ui.md first, and with SPROUT_UI_WIDE=1 on a large screen, too. */
const LOOKS: { name: string; width: number; height: number; theme: "light" | "dark" }[] = [
  { name: "light", width: 1280, height: 800, theme: "light" },
  { name: "dark", width: 1280, height: 800, theme: "dark" },
  { name: "phone", width: 360, height: 740, theme: "light" },
  ...(process.env.SPROUT_UI_WIDE
    ? ([
        { name: "phone-dark", width: 360, height: 740, theme: "dark" },
        { name: "wide", width: 2560, height: 1440, theme: "light" },
        { name: "wide-dark", width: 2560, height: 1440, theme: "dark" },
      ] as const)
    : []),
];

/** In parts that run beside each other. */
const PARTS = 4;
for (let part = 0; part < PARTS; part += 1) {
  test(`every page in light, in dark and on a phone, part ${part + 1}`, async ({ open, sprout }) => {
    test.setTimeout(420_000);
    const at = await seed(sprout);
    const page = await open("admin", "/account");
    for (const one of pages.filter((_, index) => index % PARTS === part)) {
      await test.step(one.name, async () => {
        await page.emulateMedia({ colorScheme: "light" });
        await page.setViewportSize({ width: 1280, height: 800 });
        one.before?.(sprout, at);
        await go(page, at, one);
        for (const { name, width, height, theme } of LOOKS) {
          await page.emulateMedia({ colorScheme: theme });
          await page.setViewportSize({ width, height });
          await settled(page, one);
          if (width === 1280) expect.soft(await serious(page, theme === "dark"), `${one.name} in ${theme}`).toEqual([]);
          const wide = await page.evaluate(() => window.document.documentElement.scrollWidth - window.document.documentElement.clientWidth);
          expect.soft(wide, `${one.name} is wider than its screen (${name})`).toBeLessThanOrEqual(0);
          const png = await page.screenshot({ path: join(SHOTS, `${one.name}-${name}.png`), fullPage: width < 1000 });
          if (process.env.SPROUT_UI_DOCS && name === "light" && !one.undocumented) await document(page, one.name, png);
        }
      });
    }
  });
}

test("the sign-in page", async ({ browser, sprout }) => {
  for (const theme of ["light", "dark"] as const) {
    const context = await browser.newContext({ baseURL: sprout.url, colorScheme: theme });
    const page = await context.newPage();
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
    expect.soft(await serious(page)).toEqual([]);
    const png = await page.screenshot({ path: join(SHOTS, `sign-in-${theme}.png`) });
    if (process.env.SPROUT_UI_DOCS && theme === "light") await document(page, "sign-in", png);
    await context.close();
  }
});
