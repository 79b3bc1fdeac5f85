// What can be done to machines on a provider that are no appliances.
import { ask } from "$/ask.svelte";
import { session } from "$/api/session.svelte";
import type { Item } from "$/components/Menu.svelte";
import { providers } from "$/features/provider/provider";
import { PowerState } from "$/gen/sprout/appliance/v1/appliance_pb";
import { type Machine, MachineKind } from "$/gen/sprout/provider/v1/provider_pb";
import { act } from "$/toasts.svelte";

/** Whether whoever is signed in may do anything to it: staff what carries our tag, superusers also what carries none. */
export const mine = (machine: Machine): boolean => session.superuser || (session.staff && machine.kind === MachineKind.LEAKED);

export function menu(provider: string, machine: Machine): Item[] {
  const { name } = machine;
  const start: Item = { label: "Start", icon: "start", run: () => void act(() => providers.startMachine({ provider, name }), `${name} is being started.`) };
  const stop: Item = {
    label: "Stop",
    icon: "stop",
    run: () =>
      ask({
        title: `Stop ${name}?`,
        text: "It is powered off at once. It is no appliance that Sprout knows: somebody else may be using it.",
        action: `Stop ${name}`,
        danger: true,
        run: () => providers.stopMachine({ provider, name }),
      }),
  };
  const power = machine.powerState === PowerState.ON ? [stop] : machine.powerState === PowerState.OFF ? [start] : [start, stop];
  return [
    ...power,
    {
      label: "Delete",
      icon: "kill",
      danger: true,
      part: true,
      run: () =>
        ask({
          title: `Delete ${name}?`,
          text: `It is deleted from ${provider}. It is no appliance that Sprout knows: make sure that nobody needs it.`,
          action: `Delete ${name}`,
          danger: true,
          type: name,
          run: () => providers.deleteMachine({ provider, name, confirmName: name }),
        }),
    },
  ];
}
