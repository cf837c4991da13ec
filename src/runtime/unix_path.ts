/** Paths of Unix sockets, where a runtime's own sockets do less with them than the system needs. */

import { lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { RingwireError } from "../errors.ts";
import type { Address } from "../transport.ts";

/** `sun_path` has 108 bytes, the last one a NUL. */
const MAX_PATH_BYTES = 107;
const encoder = new TextEncoder();

/** @throws RangeError for a path that is too long: Node would cut it off, and listen or connect elsewhere. */
export function checkPath({ family, host }: Address): void {
  if (family !== "unix") return;
  const { length } = encoder.encode(host);
  if (length <= MAX_PATH_BYTES) return;
  throw new RangeError(`Cannot use host "${host}"; it is ${length} bytes long, ${MAX_PATH_BYTES} fit`);
}

/** Listens. The file that a process has left behind when it was killed is no reason not to: it is removed, as over io_uring. */
export async function listenAt<Listener>(
  { family, host }: Address,
  listen: () => Listener | Promise<Listener>,
): Promise<Listener> {
  try {
    return await listen();
  } catch (error) {
    const isInUse = error instanceof RingwireError && error.code === "ERR_ADDRESS_IN_USE";
    if (family !== "unix" || !isInUse || !(await isLeftBehind(host))) throw error;
    unlinkSync(host);
    return await listen();
  }
}

/** Whether a path is a socket on which nobody accepts. */
async function isLeftBehind(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
