import { PASSWORD } from "./installation.ts";
import { expect, test } from "./test.ts";

test("a wrong password is refused in the server's words, a right one leads to where one wanted to go", async ({ browser, sprout }) => {
  const context = await browser.newContext({ baseURL: sprout.url });
  const page = await context.newPage();
  await page.goto("/templates?group=upstream");
  await expect(page).toHaveTitle("Sign in · Sprout");
  await expect(page.getByLabel("Name")).toBeFocused();

  await page.getByLabel("Name").fill("alice");
  await page.getByLabel("Password").fill("not this one");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText(/password/i);
  await expect(page.getByLabel("Password")).toBeFocused();

  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Templates" })).toBeVisible();
  await expect(page).toHaveURL(/\/templates\?group=upstream$/);
  await expect(page).toHaveTitle("Templates · Sprout");

  // What proves who it is is out of reach of scripts.
  const cookies = await context.cookies();
  expect(cookies.map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite }))).toEqual([{ httpOnly: true, sameSite: "Strict" }]);
  const readable = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
  expect(readable).not.toContain(cookies[0]?.value);

  await page.getByRole("button", { name: "alice" }).first().click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in to Sprout" })).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Sign in to Sprout" })).toBeVisible();
  await context.close();
});

test("a session that ends elsewhere leads to the sign-in, which says so", async ({ open, sprout }) => {
  const page = await open("bob");
  await expect(page.getByRole("heading", { level: 1, name: "My pools" })).toBeVisible();
  for (const token of sprout.control<{ id: number; name: string }[]>(["token", "list"], "", "bob")) {
    sprout.control(["token", "revoke", String(token.id), "--yes"], "", "admin");
  }
  await expect(page.getByText("Your session has ended.")).toBeVisible();
  sprout.forget("bob");
  sprout.signIn("bob");
});

test("a user sees nothing of a provider of others, and no pages for staff", async ({ open }) => {
  const page = await open("alice", "/providers");
  await expect(page.getByRole("heading", { name: "Lab one" })).toBeVisible();
  await expect(page.getByText("Lab two")).toHaveCount(0);
  await expect(page.getByRole("link", { name: "Workers" })).toHaveCount(0);

  await page.goto("/providers/lab-two");
  await expect(page.getByRole("alert")).toContainText("lab-two");
  await page.goto("/events");
  await expect(page.getByRole("link", { name: "lab-one" }).first()).toBeVisible();
  await expect(page.getByText("lab-two")).toHaveCount(0);
  await page.goto("/workers");
  await expect(page.getByText("This page is for staff")).toBeVisible();
  await page.goto("/request?group=downstream-511z");
  await expect(page.getByRole("link", { name: "Lab one" })).toBeVisible();
  await expect(page.getByText("Lab two")).toHaveCount(0);

  const staff = await open("admin", "/providers");
  await expect(staff.getByRole("heading", { name: "Lab two" })).toBeVisible();
});

test("a token is made, shown once, and revoked; a password is changed", async ({ open, sprout }) => {
  const page = await open("bob", "/account");
  await page.getByRole("button", { name: "Make a token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("ci");
  await dialog.getByLabel("It works for").fill("never");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await expect(dialog.getByText("A time such as")).toBeVisible();
  await dialog.getByLabel("It works for").fill("30d");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await expect(page.getByText("It is shown only here")).toBeVisible();
  await page.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByRole("cell", { name: "ci", exact: true })).toBeVisible();
  await page.getByRole("button", { name: /^Revoke ci/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("cell", { name: "ci", exact: true })).toHaveCount(0);

  await page.getByRole("button", { name: "Change password" }).click();
  const change = page.getByRole("dialog");
  await change.getByLabel("The one you have now").fill("wrong");
  await change.getByLabel("The new one", { exact: true }).fill(PASSWORD);
  await change.getByLabel("The new one again").fill(PASSWORD);
  await change.getByRole("button", { name: "Change it" }).click();
  await expect(change.getByRole("alert")).toContainText(/password/i);
  await change.getByLabel("The one you have now").fill(PASSWORD);
  await change.getByRole("button", { name: "Change it" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
  sprout.signIn("bob");
});
