// What an error says: the server's own sentence, the reason for programs, and which fields it is about.
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "$/gen/google/rpc/error_details_pb";

/** A failure of /session, which does not speak gRPC. */
export class SessionError extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** Why, as a word for programs; empty where there is none. */
export function reason(error: unknown): string {
  if (error instanceof SessionError) return error.reason;
  if (error instanceof ConnectError) return error.findDetails(ErrorInfoSchema)[0]?.reason ?? "";
  return "";
}

/** Whether the server could not be asked at all, so that the same may work a little later. */
export function unavailable(error: unknown): boolean {
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded) return true;
    // What fetch throws when there is no connection.
    return error.code === Code.Unknown && error.cause instanceof TypeError;
  }
  return error instanceof TypeError || (error instanceof SessionError && error.reason === "SERVER_UNREACHABLE");
}

/** Whether it was given up by us. */
export function aborted(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Canceled;
}

/** One sentence for people. */
export function sentence(error: unknown): string {
  let said = "";
  if (error instanceof ConnectError) {
    if (error.code === Code.Unknown && error.cause instanceof TypeError) said = "the gateway cannot be reached";
    else if (error.code === Code.DeadlineExceeded) said = "the server did not answer in time; what you asked for may have happened all the same";
    else said = error.rawMessage;
  } else if (error instanceof TypeError) said = "the gateway cannot be reached";
  else if (error instanceof Error) said = error.message;
  else said = String(error);
  if (said === "") said = "something failed, and the server did not say why";
  return capital(said);
}

/** With a capital letter, unless it begins with a name such as `s_appl_1`, and an end. */
export function capital(text: string): string {
  const name = /^\S*[_\d:/.-]/.test(text);
  const whole = name ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…:]$/.test(whole) ? whole : `${whole}.`;
}

/** What is wrong with which field of the request, by its name. */
export function violations(error: unknown): Record<string, string> {
  if (!(error instanceof ConnectError)) return {};
  const all = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return Object.fromEntries(all.map((one) => [one.field, capital(one.description)]));
}
