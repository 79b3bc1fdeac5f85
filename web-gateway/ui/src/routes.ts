// All pages: where each is, what it is called, who sees it, and where its code is.
import type { Component } from "svelte";

export interface Route {
  path: string;
  title: (params: Record<string, string>) => string;
  load: () => Promise<{ default: Component<{ params: Record<string, string> }> }>;
  /** Only staff, or only superusers, may see it. */
  only?: "staff" | "superuser";
  /** The entry of the navigation that it belongs to. */
  under?: string;
}

const fixed = (title: string) => () => title;
// Components that take no parameters are given them all the same.
type Page = Promise<{ default: unknown }>;
const page = (load: () => Page) => load as Route["load"];

export const routes: Route[] = [
  { path: "/", title: fixed("My pools"), load: page(() => import("$/features/pool/Pools.svelte")) },
  { path: "/pools/:id", title: (p) => `Pool ${p.id}`, under: "/", load: page(() => import("$/features/pool/PoolPage.svelte")) },
  { path: "/request", title: fixed("Request"), load: page(() => import("$/features/pool/Request.svelte")) },
  { path: "/appliances", title: fixed("Appliances"), load: page(() => import("$/features/appliance/Appliances.svelte")) },
  { path: "/appliances/:id", title: (p) => `Appliance ${p.id}`, under: "/appliances", load: page(() => import("$/features/appliance/AppliancePage.svelte")) },
  { path: "/providers", title: fixed("Providers"), load: page(() => import("$/features/provider/Providers.svelte")) },
  { path: "/providers/:key", title: (p) => `Provider ${p.key}`, under: "/providers", load: page(() => import("$/features/provider/ProviderPage.svelte")) },
  { path: "/usage", title: fixed("Usage"), load: page(() => import("$/features/usage/Usage.svelte")) },
  { path: "/templates", title: fixed("Templates"), load: page(() => import("$/features/template/Templates.svelte")) },
  { path: "/preparations", title: fixed("Template preparations"), only: "staff", load: page(() => import("$/features/template/Preparations.svelte")) },
  { path: "/catalogues", title: fixed("Catalogues"), only: "staff", load: page(() => import("$/features/template/Catalogue.svelte")) },
  { path: "/shepherd", title: fixed("Shepherd"), load: page(() => import("$/features/shepherd/Shepherds.svelte")) },
  { path: "/vms", title: fixed("VMs"), only: "staff", load: page(() => import("$/features/provider/Machines.svelte")) },
  { path: "/operations", title: fixed("Overview"), only: "staff", load: page(() => import("$/features/operations/Overview.svelte")) },
  { path: "/queue", title: fixed("Queue"), only: "staff", load: page(() => import("$/features/pool/Queue.svelte")) },
  { path: "/workers", title: fixed("Workers"), only: "staff", load: page(() => import("$/features/worker/Workers.svelte")) },
  { path: "/workers/:id", title: (p) => `Worker ${p.id}`, only: "staff", under: "/workers", load: page(() => import("$/features/worker/WorkerPage.svelte")) },
  { path: "/workflows", title: fixed("Workflows"), only: "staff", load: page(() => import("$/features/workflow/Workflows.svelte")) },
  { path: "/workflows/:id", title: (p) => `Workflow ${p.id}`, only: "staff", under: "/workflows", load: page(() => import("$/features/workflow/WorkflowPage.svelte")) },
  { path: "/tasks", title: fixed("Tasks"), only: "staff", load: page(() => import("$/features/task/Tasks.svelte")) },
  { path: "/tasks/:id", title: (p) => `Task ${p.id}`, only: "staff", under: "/tasks", load: page(() => import("$/features/task/TaskPage.svelte")) },
  { path: "/jobs", title: fixed("Jobs"), only: "staff", load: page(() => import("$/features/job/Jobs.svelte")) },
  { path: "/jobs/:name", title: (p) => `Job ${p.name}`, only: "staff", under: "/jobs", load: page(() => import("$/features/job/JobPage.svelte")) },
  { path: "/events", title: fixed("Events"), load: page(() => import("$/features/event/Events.svelte")) },
  { path: "/audit", title: fixed("Audit"), only: "staff", load: page(() => import("$/features/audit/Audit.svelte")) },
  { path: "/logs", title: fixed("Logs"), load: page(() => import("$/features/log/Logs.svelte")) },
  { path: "/users", title: fixed("Users"), only: "staff", load: page(() => import("$/features/user/Users.svelte")) },
  { path: "/users/:name", title: (p) => `User ${p.name}`, only: "staff", under: "/users", load: page(() => import("$/features/user/UserPage.svelte")) },
  { path: "/user-groups", title: fixed("User groups"), load: page(() => import("$/features/user/UserGroups.svelte")) },
  { path: "/groups", title: fixed("Groups"), load: page(() => import("$/features/group/Groups.svelte")) },
  { path: "/groups/:name", title: (p) => `Group ${p.name}`, under: "/groups", load: page(() => import("$/features/group/GroupPage.svelte")) },
  { path: "/cleanup", title: fixed("Clean-up"), only: "staff", load: page(() => import("$/features/cleanup/Cleanup.svelte")) },
  { path: "/settings", title: fixed("Settings"), only: "staff", load: page(() => import("$/features/config/Settings.svelte")) },
  { path: "/account", title: fixed("Account"), load: page(() => import("$/features/user/Account.svelte")) },
  { path: "/reference", title: fixed("API reference"), load: page(() => import("$/features/reference/Reference.svelte")) },
  { path: "/reference/:service", title: (p) => `${p.service}`, under: "/reference", load: page(() => import("$/features/reference/Reference.svelte")) },
];

export interface Entry {
  path: string;
  label: string;
  icon: string;
  only?: "staff";
}

/** The navigation, by part. */
export const navigation: { label: string; only?: "staff"; entries: Entry[] }[] = [
  {
    label: "Appliances",
    entries: [
      { path: "/", label: "My pools", icon: "pools" },
      { path: "/request", label: "Request", icon: "request" },
      { path: "/appliances", label: "Appliances", icon: "appliance" },
    ],
  },
  {
    label: "Where they run",
    entries: [
      { path: "/providers", label: "Providers", icon: "provider" },
      { path: "/groups", label: "Groups", icon: "group" },
      { path: "/templates", label: "Templates", icon: "template" },
      { path: "/preparations", label: "Preparations", icon: "prepare", only: "staff" },
      { path: "/catalogues", label: "Catalogues", icon: "audit", only: "staff" },
      { path: "/shepherd", label: "Shepherd", icon: "shepherd" },
      { path: "/vms", label: "VMs", icon: "machine", only: "staff" },
      { path: "/usage", label: "Usage", icon: "usage" },
    ],
  },
  {
    label: "Operations",
    entries: [
      { path: "/operations", label: "Overview", icon: "chart", only: "staff" },
      { path: "/queue", label: "Queue", icon: "queue", only: "staff" },
      { path: "/workers", label: "Workers", icon: "worker", only: "staff" },
      { path: "/workflows", label: "Workflows", icon: "workflow", only: "staff" },
      { path: "/tasks", label: "Tasks", icon: "task", only: "staff" },
      { path: "/jobs", label: "Jobs", icon: "job", only: "staff" },
      { path: "/events", label: "Events", icon: "event" },
      { path: "/audit", label: "Audit", icon: "audit", only: "staff" },
      { path: "/logs", label: "Logs", icon: "log" },
    ],
  },
  {
    label: "Administration",
    only: "staff",
    entries: [
      { path: "/users", label: "Users", icon: "user" },
      { path: "/user-groups", label: "User groups", icon: "users" },
      { path: "/cleanup", label: "Clean-up", icon: "cleanup" },
      { path: "/settings", label: "Settings", icon: "settings" },
    ],
  },
  {
    label: "You",
    entries: [
      { path: "/account", label: "Account", icon: "account" },
      { path: "/reference", label: "API reference", icon: "reference" },
    ],
  },
];
