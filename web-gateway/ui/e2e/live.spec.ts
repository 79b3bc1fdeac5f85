import type { Locator } from "@playwright/test";
import { expect, test } from "./test.ts";

for (const user of ["alice", "admin"]) test(`two browsers of ${user} see each other's changes within a second`, async ({ open }) => {
  // From the answer to the one who changes it until the other one sees it.
  const soon = async (seen: Locator) => {
    const began = Date.now();
    await seen.waitFor();
    expect(Date.now() - began).toBeLessThan(1000);
  };
  const [left, right] = [await open(user), await open(user)];
  await expect(left.getByText("You have no pools")).toBeVisible();
  await expect(right.getByText("You have no pools")).toBeVisible();

  await left.goto("/request?group=upstream&provider=lab-one");
  await left.getByLabel("Description").fill("both see it");
  const asked = left.waitForResponse(/RequestPool$/);
  await left.getByRole("button", { name: "Request 1 appliance" }).click();
  await asked;
  await soon(right.getByRole("link", { name: "both see it" }));
  await expect(right.getByRole("article").getByText("ready", { exact: true })).toHaveCount(2);

  await right.getByRole("button", { name: /^Change description/ }).click();
  await right.getByRole("textbox", { name: /^description/ }).fill("renamed on the right");
  const described = right.waitForResponse(/DescribePool$/);
  await right.keyboard.press("Enter");
  await described;
  await soon(left.getByText("renamed on the right").first());

  await left.getByRole("button", { name: "Kill", exact: true }).click();
  const killed = left.waitForResponse(/KillPool$/);
  await left.getByRole("dialog").getByRole("button", { name: /^Kill pool/ }).click();
  await killed;
  await soon(right.getByRole("article").getByText("ending").or(right.getByText("You have no pools")));
  await expect(right.getByText("You have no pools")).toBeVisible();
});

for (const user of ["alice", "admin"]) {
  test(`a server that is killed and comes back under an open page of ${user} is lost and found`, async ({ open, sprout }) => {
    const page = await open(user);
    await expect(page.getByText("You have no pools")).toBeVisible();
    await sprout.killServer();
    await expect(page.getByText("Reconnecting…")).toBeVisible();
    // What was there stays, and no spinner takes its place.
    await expect(page.getByRole("heading", { level: 1, name: "My pools" })).toBeVisible();
    sprout.startServer();
    await expect(page.getByText("Reconnecting…")).toHaveCount(0);
    const made = sprout.control<{ id: number }>(["pool", "request", "upstream", "-n", "1", "--description", "after the restart", "--provider", "lab-one"], "", user);
    await expect(page.getByRole("link", { name: "after the restart" })).toBeVisible();
    await expect(page.getByRole("article").getByText("ready", { exact: true })).toHaveCount(2);
    sprout.control(["pool", "kill", String(made.id), "--yes", "--wait"], "", user);
    await expect(page.getByText("You have no pools")).toBeVisible();
  });
}

test("the log of an appliance is followed", async ({ open, sprout }) => {
  const pool = sprout.control<{ id: number }>(["pool", "request", "upstream", "-n", "1", "--provider", "lab-one"], "", "alice");
  const page = await open("alice", `/pools/${pool.id}`);
  await page.getByRole("link", { name: /^s_appl/ }).first().click();
  const log = page.getByRole("log");
  await expect(log.getByText(/wait_ready .*done/)).toBeVisible();
  await page.getByRole("button", { name: /^Actions for s_appl/ }).click();
  await page.getByRole("menuitem", { name: "Reboot" }).click();
  await expect(log.getByText(/reboot .*done/)).toBeVisible();
  await page.getByLabel("Only lines with").fill("reboot");
  await expect(log.getByText(/clone/)).toHaveCount(0);
  sprout.control(["pool", "kill", String(pool.id), "--yes", "--wait"], "", "alice");
  await expect(page.getByText("gone", { exact: true })).toBeVisible();
});

test("staff see what becomes of workers, and who may use a provider", async ({ open, sprout }) => {
  const page = await open("admin", "/workers");
  const worker = page.getByRole("article").filter({ hasText: "local" });
  await expect(worker.getByText("connected", { exact: true })).toBeVisible();
  sprout.control(["worker", "drain", "local"]);
  await expect(worker.getByText("drained", { exact: true })).toBeVisible();
  sprout.control(["worker", "undrain", "local"]);
  await expect(worker.getByText("connected", { exact: true })).toBeVisible();
  await page.goto("/providers/lab-one");
  await expect(page.getByRole("definition").filter({ hasText: "testers" })).toBeVisible();
});
