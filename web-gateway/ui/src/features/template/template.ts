// What can be done to templates, and what is asked before.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import { session } from "$/api/session.svelte";
import type { Item } from "$/components/Menu.svelte";
import { type Template, TemplateService, TemplateState } from "$/gen/sprout/template/v1/template_pb";
import { here, to } from "$/router.svelte";
import { act } from "$/toasts.svelte";

export const templates = client(TemplateService);

function remove(template: Template): void {
  ask({
    title: `Delete ${template.name}?`,
    text: `It is used no more, its warm appliances are killed, and it is deleted on ${template.provider} as soon as its last appliance is gone.`,
    action: "Delete the template",
    danger: true,
    type: template.name,
    run: () => templates.deleteTemplate({ id: template.id }),
  });
}

export function menu(template: Template): Item[] {
  const items: Item[] = [];
  if (template.specimenId !== undefined) items.push({ label: "Show the specimen", icon: "appliance", run: () => here.go(to`/appliances/${template.specimenId ?? 0n}`) });
  if (session.staff) {
    if (template.state === TemplateState.QUARANTINED) items.push({ label: "Release", icon: "ok", run: () => void act(() => templates.releaseTemplate({ id: template.id }), `${template.name} is used again.`) });
    if (template.unconfigured && template.state === TemplateState.READY) {
      items.push({ label: "Prepare", icon: "prepare", run: () => void act(() => templates.prepareTemplate({ id: template.id }), `A preconfigured template is made of ${template.name}.`) });
    }
    if (template.workflowId !== undefined) items.push({ label: "Show the preparation", icon: "workflow", run: () => here.go(to`/workflows/${template.workflowId ?? 0n}`) });
    if (template.parentId !== undefined) items.push({ label: "Log of the preparation", icon: "log", run: () => here.go(to`/logs?template=${template.id}`) });
    if (template.state !== TemplateState.GONE) items.push({ label: "Delete", icon: "kill", danger: true, part: items.length > 0, run: () => remove(template) });
  }
  return items;
}
