import { expect, type Page, test } from "./test.ts";

const card = (page: Page, name: string) => page.getByRole("article").filter({ has: page.getByRole("heading", { name }) });

async function choose(page: Page, where: ReturnType<Page["getByRole"]>, item: string) {
  await where.click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
}

test("request, live progress, ready, work with it, extend, kill", async ({ open, sprout }) => {
  const page = await open("alice", "/request");
  await page.getByRole("combobox", { name: /^Group/ }).selectOption("downstream-511z");
  await expect(page.getByRole("combobox", { name: /^Version/ })).toContainText("newest (5.11.8.0)");
  await expect(page.getByRole("combobox", { name: /^Date/ })).toContainText("newest (2020-10-20)");
  await page.getByRole("combobox", { name: /^Version/ }).selectOption("5.11.7.3");
  await expect(page).toHaveURL(/group=downstream-511z&version=5.11.7.3/);
  await page.getByRole("spinbutton", { name: "Appliances" }).fill("2");
  await expect(page.getByText("2 are deployed right away.")).toBeVisible();
  await page.getByLabel("Lease").fill("100d");
  await expect(page.getByText("At most 3 d, says the group.")).toBeVisible();
  await page.getByLabel("Lease").fill("30m");
  await page.getByLabel("Description").fill("upgrade tests");
  sprout.hold("one", true);
  await page.getByRole("button", { name: "Request 2 appliances" }).click();

  await expect(page.getByRole("heading", { level: 1, name: /^Pool \d+$/ })).toBeVisible();
  await page.getByRole("link", { name: "My pools" }).first().click();
  const pool = card(page, "upgrade tests");
  await expect(pool.getByText("provisioning")).toBeVisible();
  await expect(pool.getByRole("progressbar")).toBeVisible();
  await expect(pool.getByText("cloning", { exact: true })).toHaveCount(2);
  // Nothing is reloaded: it gets ready by itself.
  sprout.hold("one", false);
  await expect(pool.getByText("ready", { exact: true })).toHaveCount(3);
  await expect(pool.getByText(/^29:\d\d$|^30:00$/).first()).toBeVisible();

  const row = pool.getByRole("row").filter({ hasText: "s_appl" }).first();
  await row.getByRole("button", { name: /^Copy the address/ }).click();
  const address = await page.evaluate(() => navigator.clipboard.readText());
  await expect(row.getByText(address)).toBeVisible();

  await row.getByRole("button", { name: /^Change name/ }).click();
  await pool.getByRole("textbox", { name: /^name of/ }).fill("db-1");
  await page.keyboard.press("Enter");
  const renamed = pool.getByRole("row").filter({ hasText: "db-1" });
  await expect(renamed).toBeVisible();
  await choose(page, renamed.getByRole("button", { name: "Actions for db-1" }), "Stop");
  await expect(renamed.getByText("off", { exact: true })).toBeVisible();
  await choose(page, renamed.getByRole("button", { name: "Actions for db-1" }), "Start");
  await expect(renamed.getByText("ready", { exact: true })).toBeVisible();

  await choose(page, renamed.getByRole("button", { name: "Actions for db-1" }), "Hold");
  await page.getByLabel("Why").fill("a crash");
  await page.getByRole("button", { name: "Hold", exact: true }).click();
  await expect(renamed.getByText("held")).toBeVisible();
  await choose(page, renamed.getByRole("button", { name: "Actions for db-1" }), "End the hold");
  await expect(renamed.getByText("held", { exact: true })).toHaveCount(0);

  await pool.getByRole("button", { name: "Extend" }).click();
  await page.getByLabel("Lease from now").fill("9d");
  await page.getByRole("dialog").getByRole("button", { name: "Extend" }).click();
  await expect(page.getByRole("alert")).toContainText("allows leases of at most");
  await page.getByLabel("Lease from now").fill("2h");
  await page.getByRole("dialog").getByRole("button", { name: "Extend" }).click();
  await expect(pool.getByText(/^1:59:\d\d$|^2:00:00$/).first()).toBeVisible();

  await choose(page, pool.getByRole("button", { name: /^Actions for pool/ }), "Kill");
  await expect(page.getByRole("dialog")).toContainText("upgrade tests");
  await page.getByRole("dialog").getByRole("button", { name: /^Kill pool \d+$/ }).click();
  await expect(pool).toHaveCount(0);
});

test("who waits sees place and reasons, and is served when there is room", async ({ open, sprout }) => {
  sprout.control(["pool", "request", "upstream", "-n", "4", "--description", "in the way", "--provider", "lab-two", "--wait"]);
  const page = await open("admin", "/request?group=upstream&provider=lab-two");
  await expect(page.getByText("1 waits for room.")).toBeVisible();
  await page.getByLabel("Description").fill("patient");
  await page.getByRole("button", { name: "Request 1 appliance" }).click();
  await expect(page.getByText("Number 1 in line.")).toBeVisible();
  await expect(page.getByText("all 4 appliances that are allowed are there")).toBeVisible();

  const queue = await open("admin", "/queue");
  await expect(queue.getByRole("link", { name: /patient/ })).toBeVisible();

  const home = await open("admin", "/");
  await home.getByRole("button", { name: /^Actions for pool/ }).first().click();
  await expect(home.getByRole("menuitem", { name: "Never expire" })).toBeVisible();
  await home.keyboard.press("Escape");
  await card(home, "in the way").getByRole("button", { name: "Kill", exact: true }).click();
  await home.getByRole("dialog").getByRole("button", { name: /^Kill pool/ }).click();
  await expect(page.getByText("1 of 1 ready").or(page.getByText("ready", { exact: true }).first())).toBeVisible();
  await expect(queue.getByText("Nobody waits")).toBeVisible();

  await home.getByRole("button", { name: "Kill all" }).click();
  const confirm = home.getByRole("button", { name: "Kill all" }).last();
  await expect(confirm).toBeDisabled();
  await home.getByLabel(/^Type/).fill("admin");
  await confirm.click();
  await expect(home.getByText("You have no pools")).toBeVisible();
});

test("merge, clone and transfer", async ({ open, sprout }) => {
  const first = sprout.control<{ id: number }>(["pool", "request", "upstream", "-n", "1", "--description", "left", "--provider", "lab-one"], "", "bob");
  const page = await open("bob", `/pools/${first.id}`);
  const actions = page.getByRole("button", { name: `Actions for pool ${first.id}` });
  await expect(page.getByRole("article").getByText("ready", { exact: true })).toHaveCount(2);
  await choose(page, actions, "Clone");
  await page.getByRole("dialog").getByRole("button", { name: "Request" }).click();
  await expect(page.getByText(/Pool \d+ is requested/)).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("article")).toHaveCount(2);
  await expect(page.getByRole("article").getByText("provisioning", { exact: true })).toHaveCount(0);
  await choose(page, actions, "Merge");
  await page.getByRole("dialog").getByRole("button", { name: "Merge" }).click();
  await expect(page.getByRole("article")).toHaveCount(1);
  await expect(page.getByRole("row").filter({ hasText: "s_appl" })).toHaveCount(2);
  await choose(page, actions, "Transfer");
  await page.getByLabel("New owner").fill("nobody");
  await page.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("nobody");
  await page.getByLabel("New owner").fill("alice");
  await page.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
  await expect(page.getByText("You have no pools")).toBeVisible();
  sprout.control(["pool", "kill", String(first.id), "--yes", "--wait"]);
});
