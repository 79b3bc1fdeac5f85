// Questions before something is done: what is to be confirmed, and what is to be filled in, in a dialog.
import type { Snippet } from "svelte";

export interface Field {
  name: string;
  label: string;
  value?: string;
  hint?: string;
  type?: "text" | "password" | "number" | "select" | "textarea" | "check";
  options?: { value: string; label: string }[];
  required?: boolean;
  /** A mistake in what was typed, or nothing. */
  check?: (text: string) => string | undefined;
  placeholder?: string;
  suggestions?: string[];
}

export interface Question {
  title: string;
  text?: string;
  body?: Snippet;
  /** What the button says, which does it. */
  action: string;
  danger?: boolean;
  /** To be typed first: the name of what is lost. */
  type?: string;
  fields?: Field[];
  /** Does it; what it throws is shown in the dialog, which stays. */
  run: (values: Record<string, string>) => Promise<unknown>;
}

class Asking {
  current: Question | undefined = $state.raw();
}
export const asking = new Asking();

export function ask(question: Question): void {
  asking.current = question;
}
