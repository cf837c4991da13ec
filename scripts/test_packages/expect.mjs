/** What the test programs print, compared with what their installation has to lead to. */
import { FIRST_ECHO_MS } from "./project.mjs";

/** Machines that run tests do other things too. */
const FIRST_ECHO_LIMIT_MS = 4 * FIRST_ECHO_MS;

/**
 * Checks what scripts/test_packages/programs/echo.mjs (or one of its kind) printed.
 *
 * @param transport - The one that has to be in use. @param reason - What the reason has to say.
 * @returns The remark for the table.
 */
export function expectEcho(result, transport, reason = /./) {
  if (!result.text?.endsWith("hello, world") && !result.text?.endsWith("hello")) {
    throw new Error(`no echo: ${JSON.stringify(result)}`);
  }
  if (result.transport !== transport) {
    throw new Error(`${result.transport} where ${transport} was expected: ${result.reason}`);
  }
  if (!reason.test(result.reason)) throw new Error(`the reason does not say ${reason}: ${result.reason}`);
  if (result.ms === undefined) return transport;
  const late = result.ms > FIRST_ECHO_MS ? `, more than ${FIRST_ECHO_MS} ms` : "";
  if (result.ms > FIRST_ECHO_LIMIT_MS) throw new Error(`first echo only after ${result.ms.toFixed(0)} ms`);
  return `${transport}, first echo after ${result.ms.toFixed(0)} ms${late}`;
}

/** Checks that a stack trace names what an error went through. */
export function expectTrace({ stack }, names) {
  const unnamed = names.filter((name) => !stack.includes(`at ${name} (`));
  if (unnamed.length > 0) throw new Error(`the trace does not name ${unnamed.join(", ")}:\n${stack}`);
  return names.join(", ");
}

/** Checks what `ringwire doctor` printed: that it works, which transport it names and why. */
export function expectDoctor(output, transport, shim, reason = /./) {
  const line = (label) => new RegExp(`^${label} +(.*)$`, "m").exec(output)?.[1] ?? "";
  if (!line("transport").startsWith(`${transport}: `) || !reason.test(line("transport"))) {
    throw new Error(`doctor does not say ${transport} and ${reason}:\n${output}`);
  }
  if (!shim.test(line("shim"))) throw new Error(`doctor does not say of the shim ${shim}:\n${output}`);
  return `${transport}; shim ${/\((.*)\)$/.exec(line("shim"))?.[1] ?? line("shim")}`;
}
