import { until } from "./installation.ts";
import { installation, machine } from "./places.ts";
import { expect, test } from "./test.ts";

test("everything works by keyboard: skip link, menus, dialogs give focus back", async ({ open, sprout }) => {
  sprout.control(["pool", "request", "upstream", "-n", "1", "--description", "by keyboard", "--provider", "lab-one"], "", "alice");
  const page = await open("alice");
  await expect(page.getByRole("link", { name: "by keyboard" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the page" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();

  const actions = page.getByRole("button", { name: /^Actions for pool/ });
  await actions.focus();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("menuitem", { name: "Show" })).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("menuitem", { name: "Kill" })).toBeFocused();
  await page.keyboard.press("Home");
  await page.keyboard.press("c");
  await expect(page.getByRole("menuitem", { name: "Clone" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("menu")).toHaveCount(0);
  await expect(actions).toBeFocused();

  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  // Focus stays inside.
  for (let i = 0; i < 6; i += 1) await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement === document.body || Boolean(document.activeElement?.closest("dialog")))).toBe(true);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(actions).toBeFocused();

  await page.getByRole("link", { name: "Providers" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Providers" })).toBeFocused();
  await page.goBack();
  await expect(page.getByRole("heading", { level: 1, name: "My pools" })).toBeVisible();
  sprout.control(["pool", "kill-all", "--yes"], "", "alice");
});

test("light and dark follow the system until one is chosen, which lasts", async ({ open }) => {
  const page = await open("alice", "/account", { dark: true });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await page.getByLabel("Light").check();
  const light = await background();
  expect(light).not.toBe(dark);
  await page.reload();
  await expect(page.getByLabel("Light")).toBeChecked();
  expect(await background()).toBe(light);
  await page.getByLabel("As the system").check();
  expect(await background()).toBe(dark);
});

test("on a phone the navigation is a drawer", async ({ open }) => {
  const page = await open("alice", "/", { width: 360, height: 740 });
  await page.getByRole("button", { name: "Navigation", exact: true }).click();
  await page.getByRole("dialog").getByRole("link", { name: "Providers" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Providers" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("what carries our tag and is no appliance is switched, and deleted by whoever types its name", async ({ open, sprout }) => {
  sprout.control(["pool", "request", "upstream", "-n", "1", "--provider", "lab-one", "--wait"], "", "alice");
  const template = sprout.control<{ name: string; provider: string }[]>(["template", "list"]).find(({ provider }) => provider === "lab-one");
  // A number that was never given: the clean-up leaves it alone.
  await machine(sprout.labOne, "left-behind", template?.name ?? "", { installationId: await installation(sprout.labOne), applianceId: 9_000_000_000n, epoch: 1n });
  sprout.control(["job", "run", "refresh", "--wait"]);
  const page = await open("admin", "/vms?provider=lab-one&kind=leaked");
  const menu = page.getByRole("button", { name: "Actions for left-behind" });
  await menu.click();
  await page.getByRole("menuitem", { name: "Start" }).click();
  await expect(page.getByRole("row", { name: /left-behind/ }).getByRole("cell", { name: "on", exact: true })).toBeVisible();
  await menu.click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  const button = dialog.getByRole("button", { name: "Delete left-behind" });
  await dialog.getByLabel("Type left-behind to confirm").fill("left-behin");
  await expect(button).toBeDisabled();
  await dialog.getByLabel("Type left-behind to confirm").fill("left-behind");
  await button.click();
  await expect(menu).toHaveCount(0);
  const [done] = sprout.control<{ machine: string }[]>(["workflow", "list", "--kind", "delete_machine", "--state", "succeeded"]);
  expect(done?.machine).toBe("left-behind");
  sprout.control(["pool", "kill-all", "--yes"], "", "alice");
});

test("filters are in the URL, and an empty list says what to do", async ({ open }) => {
  const page = await open("admin", "/appliances");
  await page.getByLabel("State").selectOption("failed");
  await expect(page).toHaveURL(/state=failed/);
  await expect(page.getByText("No appliance is like that")).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("State")).toHaveValue("failed");
  await page.goBack();
  await expect(page.getByLabel("State")).toHaveValue("");
  await page.getByLabel("Id, name or address").fill("nothing-like-that");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page.getByRole("alert")).toContainText("nothing-like-that");
});

test("a list is sorted by its heads, walked by arrow keys, and what was chosen in it is killed together", async ({ open, sprout }) => {
  sprout.control(["pool", "request", "upstream", "-n", "2", "--description", "to choose from", "--provider", "lab-one", "--wait"], "", "alice");
  const page = await open("alice", "/appliances");
  const rows = page.getByRole("row").filter({ hasText: "upstream" });
  await expect(rows).toHaveCount(2);
  const names = () => rows.getByRole("link", { name: /^s_appl/ }).evaluateAll((links) => links.map((link) => link.getAttribute("aria-label") ?? ""));
  const head = page.getByRole("columnheader", { name: "Appliance" });
  await head.getByRole("button").click();
  await expect(head).toHaveAttribute("aria-sort", "ascending");
  const up = await names();
  expect(up).toEqual(up.toSorted());
  await head.getByRole("button").click();
  await expect(page).toHaveURL(/sort=-appliance/);
  expect(await names()).toEqual(up.toReversed());

  await rows.first().getByRole("link", { name: /^s_appl/ }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(rows.last().getByRole("link", { name: /^s_appl/ })).toBeFocused();

  await page.getByLabel("Choose all").check();
  await page.getByRole("region", { name: "What was chosen" }).getByRole("button", { name: "Kill" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Kill 2 appliances" })).toBeDisabled();
  await dialog.getByLabel(/^Type/).fill("2 appliances");
  await dialog.getByRole("button", { name: "Kill 2 appliances" }).click();
  await expect(page.getByText("No appliance is like that")).toBeVisible();
});

test("what is shown first does not move as the rest comes", async ({ open, sprout }) => {
  sprout.control(["pool", "request", "upstream", "-n", "2", "--description", "does not jump", "--provider", "lab-one", "--wait"], "", "alice");
  const page = await open("alice", "/account");
  await page.evaluate(() => {
    const seen = window as unknown as { shift: number };
    seen.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[]) if (!entry.hadRecentInput) seen.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  for (const path of ["/", "/providers", "/request?group=upstream", "/templates"]) {
    await page.goto(path);
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    const shift = await page.evaluate(() => new Promise<number>((done) => {
      let sum = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[]) if (!entry.hadRecentInput) sum += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
      requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
    }));
    expect(shift, path).toBeLessThan(0.1);
  }
  sprout.control(["pool", "kill-all", "--yes"], "", "alice");
});

test("staff change what is kept warm, and see first what that does", async ({ open }) => {
  const page = await open("admin", "/shepherd");
  await page.getByRole("button", { name: "Keep warm" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Group").selectOption("downstream-511z");
  await dialog.getByLabel("Preconfigured").fill("2");
  await expect(dialog.getByText(/2 appliances of 5.11.8.0/)).toBeVisible();
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("2 warm")).toBeVisible({ timeout: 20_000 });
  await page.goto("/request?group=downstream-511z");
  await expect(page.getByText("One is warm: you have it at once.")).toBeVisible();
  await page.goto("/shepherd");
  await page.getByRole("button", { name: "One less of downstream-511z" }).click();
  await expect(page.getByText("1 warm")).toBeVisible();
  await page.getByRole("button", { name: "One less of downstream-511z" }).click();
});

test("administration: a user, a user group, a quota, and a provider that is disabled", async ({ open, sprout }) => {
  const page = await open("admin", "/users");
  await page.getByRole("button", { name: "Create a user" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("carol");
  await page.getByRole("dialog").getByLabel("Password").fill("short");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("dialog").getByText("At least 8 characters.")).toBeVisible();
  await page.getByRole("dialog").getByLabel("Password").fill("long enough");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "carol" }).click();
  await page.getByRole("button", { name: "Set the quota" }).click();
  await page.getByRole("dialog").getByLabel("Pools").fill("3");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("of 3")).toBeVisible();

  await page.goto("/user-groups");
  await page.getByRole("button", { name: "Create a user group" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("guests");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await page.getByRole("button", { name: "Add a member to guests" }).click();
  await page.getByRole("dialog").getByLabel("User").fill("carol");
  await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("button", { name: "Remove carol from guests" })).toBeVisible();
  await page.getByRole("button", { name: "Delete guests" }).click();
  await expect(page.getByRole("button", { name: "Delete the user group" })).toBeDisabled();
  await page.getByRole("dialog").getByRole("textbox").fill("guests");
  await page.getByRole("button", { name: "Delete the user group" }).click();
  await expect(page.getByRole("heading", { name: "guests" })).toHaveCount(0);

  await page.goto("/providers");
  await page.getByRole("button", { name: "Actions for lab-two" }).click();
  await page.getByRole("menuitem", { name: "Disable" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disable lab-two" }).click();
  await expect(page.getByRole("article").filter({ hasText: "Lab two" }).getByText("disabled")).toBeVisible();
  sprout.control(["provider", "enable", "lab-two"]);
  await expect(page.getByRole("article").filter({ hasText: "Lab two" }).getByText("working")).toBeVisible();
});

test("staff are told on every page that a newer configuration was refused, and where it is wrong", async ({ open, sprout }) => {
  const refused = () => sprout.control<{ refused_at?: string | null }>(["config", "status"]).refused_at;
  sprout.configure("nonsense: true\n");
  await until("the configuration is refused", () => {
    if (!refused()) throw new Error("not yet");
  });
  const page = await open("admin", "/providers");
  await expect(page.getByText("A newer configuration was refused")).toContainText(/sprout\.yaml:\d+.*nonsense/);
  await page.getByRole("link", { name: "Show it" }).click();
  await expect(page.getByRole("heading", { name: /A newer configuration was refused/ })).toBeVisible();
  const other = await open("alice", "/providers");
  await expect(other.getByRole("heading", { name: "Lab one" })).toBeVisible();
  await expect(other.getByText("A newer configuration was refused")).toHaveCount(0);
  sprout.configure();
  await until("the configuration is read", () => {
    if (refused()) throw new Error("not yet");
  });
  await expect(page.getByText("A newer configuration was refused")).toHaveCount(0);
});

test("a log of 50,000 lines stays smooth: only what is seen is drawn", async ({ open }) => {
  const page = await open("admin");
  const frame = (flag: number, payload: Buffer) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(flag, 0);
    head.writeUInt32BE(payload.length, 1);
    return Buffer.concat([head, payload]);
  };
  const line = (text: string) => frame(0, Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]));
  const lines = Array.from({ length: 50_000 }, (_, n) => line(`line ${n} of a log that somebody wants to read`));
  const body = Buffer.concat([...lines, frame(128, Buffer.from("grpc-status: 0\r\n"))]);
  await page.route(/WatchApplianceLogs$/, (route) => route.fulfill({ contentType: "application/grpc-web+proto", body }));
  await page.goto("/logs?appliance=1");
  await expect(page.getByText("50000 lines, ended")).toBeVisible();
  const log = page.getByRole("log");
  // It follows: the end is seen.
  await expect(log.getByText("line 49999 of")).toBeVisible();
  const began = Date.now();
  await log.evaluate((box) => (box.scrollTop = box.scrollHeight / 2));
  await expect(log.getByText("line 25000 of")).toBeVisible();
  expect(Date.now() - began).toBeLessThan(2000);
  expect(await log.locator(".line").count()).toBeLessThan(100);
  await page.getByLabel("Only lines with").fill("line 777 of");
  await expect(page.getByText("1 line, ended")).toBeVisible();
});
