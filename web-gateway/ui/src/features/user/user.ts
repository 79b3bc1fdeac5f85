// What can be done to users, user groups, quotas and tokens.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import { checkSpan } from "$/features/pool/pool";
import { capital } from "$/api/errors";
import { duration, parseSpan, word } from "$/format";
import { type Quota, Role, TokenScope, type User, UserService } from "$/gen/sprout/user/v1/user_pb";
import { UserGroupService } from "$/gen/sprout/user/v1/user_group_pb";
import { secrets } from "$/secrets.svelte";
import { toasts } from "$/toasts.svelte";

export const users = client(UserService);
export const userGroups = client(UserGroupService);

const ROLES = [Role.USER, Role.STAFF, Role.SUPERUSER, Role.BOT];
const roles = ROLES.map((role) => ({ value: String(role), label: capital(word(Role, role)).slice(0, -1) }));
const number = (text: string | undefined) => (text?.trim() ? Number(text) : undefined);
const checkNumber = (text: string) => (text.trim() === "" || /^\d+$/.test(text.trim()) ? undefined : "A number, or empty for no limit.");
export const checkPassword = (text: string) => (text.length >= 8 ? undefined : "At least 8 characters.");

export function createUser(done: () => void): void {
  ask({
    title: "Create a user",
    action: "Create",
    fields: [
      { name: "name", label: "Name", check: (text) => (/^[\w.@+-]{1,64}$/.test(text) ? undefined : "1 to 64 letters, digits, and ._@+-") },
      { name: "password", label: "Password", type: "password", hint: "At least 8 characters.", check: checkPassword },
      { name: "role", label: "Role", type: "select", value: String(Role.USER), options: roles },
      { name: "hardware", label: "May override memory and CPUs", type: "check" },
    ],
    run: async (values) => {
      const role = Number(values.role) as Role;
      await users.createUser({ name: values.name ?? "", password: values.password ?? "", role, canOverrideHardware: values.hardware === "true" });
      done();
      toasts.good(`${values.name} is created; put them into a user group, so that they see providers.`);
    },
  });
}

export function editUser(user: User, done: () => void): void {
  ask({
    title: `Change ${user.name}`,
    action: "Save",
    fields: [
      { name: "role", label: "Role", type: "select", value: String(user.role), options: roles },
      { name: "password", label: "New password", type: "password", hint: "Empty: it stays. Otherwise at least 8 characters, and all tokens stop working at once.", check: (text) => (text === "" ? undefined : checkPassword(text)) },
      { name: "hardware", label: "May override memory and CPUs", type: "check", value: String(user.canOverrideHardware) },
    ],
    run: async (values) => {
      const role = Number(values.role) as Role;
      await users.updateUser({ name: user.name, ...(role !== user.role && { role }), ...(values.password && { password: values.password }), canOverrideHardware: values.hardware === "true" });
      done();
    },
  });
}

export function disable(user: User, done: () => void): void {
  ask({
    title: `Disable ${user.name}?`,
    text: "They may not sign in, and no token of theirs works any more. Their pools stay.",
    action: `Disable ${user.name}`,
    danger: true,
    type: user.name,
    run: async () => {
      await users.updateUser({ name: user.name, disabled: true });
      done();
    },
  });
}

export function setQuota(name: string, quota: Quota | undefined, done: () => void): void {
  const text = (n: number | undefined) => (n === undefined ? "" : String(n));
  ask({
    title: `Quota of ${name}`,
    text: "What is empty is not limited.",
    action: "Save",
    fields: [
      { name: "pool", label: "Appliances in one pool", value: text(quota?.appliancesPerPool), check: checkNumber },
      { name: "pools", label: "Pools", value: text(quota?.pools), check: checkNumber },
      { name: "appliances", label: "Appliances in all of them", value: text(quota?.appliances), check: checkNumber },
      { name: "weight", label: "Weight where requests wait", value: text(quota?.weight), hint: "1 to 100; empty: 1.", check: checkNumber },
    ],
    run: async (values) => {
      const [appliancesPerPool, pools, appliances, weight] = [number(values.pool), number(values.pools), number(values.appliances), number(values.weight)];
      await users.setQuota({
        user: name,
        quota: { ...(appliancesPerPool !== undefined && { appliancesPerPool }), ...(pools !== undefined && { pools }), ...(appliances !== undefined && { appliances }), ...(weight !== undefined && { weight }) },
      });
      done();
    },
  });
}

export function createToken(done: () => void): void {
  ask({
    title: "Make a token",
    text: "For scripts and other programs that act as you.",
    action: "Make it",
    fields: [
      { name: "name", label: "Name", hint: "What it is for; unique among yours.", check: (text) => (text.trim() && text.length <= 64 ? undefined : "1 to 64 characters.") },
      {
        name: "scope",
        label: "It may",
        type: "select",
        value: String(TokenScope.USE),
        options: [
          { value: String(TokenScope.READ), label: "read only" },
          { value: String(TokenScope.USE), label: "use pools and appliances of yours" },
          { value: String(TokenScope.FULL), label: "do everything you may" },
        ],
      },
      { name: "lifetime", label: "It works for", value: "90d", hint: "At most 400d.", check: checkSpan },
    ],
    run: async (values) => {
      const { secret } = await users.createToken({ name: (values.name ?? "").trim(), scope: Number(values.scope) as TokenScope, lifetime: duration(parseSpan(values.lifetime ?? "") ?? 0) });
      done();
      secrets.show(`Token “${values.name}”`, secret);
    },
  });
}

export function changePassword(): void {
  ask({
    title: "Change your password",
    text: "All your other sessions and tokens end.",
    action: "Change it",
    fields: [
      { name: "old", label: "The one you have now", type: "password", check: (text) => (text ? undefined : "The password you have now.") },
      { name: "next", label: "The new one", type: "password", hint: "At least 8 characters.", check: checkPassword },
      { name: "again", label: "The new one again", type: "password" },
    ],
    run: async (values) => {
      if (values.next !== values.again) throw new Error("the two new passwords are not the same");
      await users.changePassword({ oldPassword: values.old ?? "", newPassword: values.next ?? "" });
      toasts.good("Your password is changed.");
    },
  });
}
