/** The diagnostic events of a session: made only when somebody wants them. */

import type { ConnectionEvent, Diagnostics } from "../diagnostics/diagnostics.ts";
import type { RingwireError } from "../errors.ts";
import type { CloseInfo } from "./handlers.ts";
import type { Session } from "./session.ts";

export function tellOpened<Data>(diagnostics: Diagnostics, session: Session<Data>): void {
  if (!diagnostics.wants("connection:open")) return;
  const { protocol, extensions } = session.socket;
  diagnostics.publish("connection:open", { ...about(session), protocol, extensions });
}

export function tellClosed<Data>(diagnostics: Diagnostics, session: Session<Data>, info: CloseInfo): void {
  if (!diagnostics.wants("connection:close")) return;
  diagnostics.publish("connection:close", { ...about(session), ...info });
}

export function tellFailed<Data>(
  diagnostics: Diagnostics,
  session: Session<Data>,
  error: RingwireError,
): void {
  if (!diagnostics.wants("connection:error")) return;
  diagnostics.publish("connection:error", { ...about(session), error });
}

export function tellPressure<Data>(
  diagnostics: Diagnostics,
  session: Session<Data>,
  state: "high" | "low",
): void {
  if (!diagnostics.wants("connection:backpressure")) return;
  const bufferedBytes = session.outbox.queuedBytes;
  diagnostics.publish("connection:backpressure", { ...about(session), state, bufferedBytes });
}

export function tellLimit<Data>(
  diagnostics: Diagnostics,
  session: Session<Data>,
  action: "pause" | "drop" | "close",
): void {
  if (diagnostics.wants("connection:limit")) {
    diagnostics.publish("connection:limit", { ...about(session), action });
  }
}

/** What all of them say. */
function about<Data>({ socket, settings }: Session<Data>): ConnectionEvent {
  return { socket, role: settings.isClient ? "client" : "server", url: socket.url };
}
