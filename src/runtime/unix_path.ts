/** Paths of Unix sockets, where a runtime's own sockets do less with them than the system needs. */

import { lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { noFolderError, RingwireError } from "../errors.ts";
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

/** Listens. The socket that a process has left behind when it was killed is no reason not to: it is removed, as over io_uring. */
export async function listenTakingOver<Listener>(
  { family, host }: Address,
  listen: () => Listener | Promise<Listener>,
): Promise<Listener> {
  try {
    return await listen();
  } catch (error) {
    // An abstract name is no file, and goes with its process.
    if (family !== "unix" || host.startsWith("\0") || !(error instanceof RingwireError)) throw error;
    const missing = missingFolder(host, error.cause);
    if (missing !== undefined) throw noFolderError(`Cannot listen on ${host}`, missing, error.cause);
    if (error.code !== "ERR_ADDRESS_IN_USE") throw error;
    const found = socketAt(host);
    if (found === undefined || !(await isLeftBehind(host))) throw error;
    // Somebody else may have taken it over meanwhile. Between this look and binding nothing of this process runs.
    if (socketAt(host) !== found || !isRemoved(host)) throw error;
    return await listen();
  }
}

/** What the system calls the lack of a folder for a path, which it could not listen at; undefined: that was not the reason. */
function missingFolder(path: string, cause: unknown): string | undefined {
  const code = codeOf(cause);
  // Node makes EACCES of ENOENT, which is what Windows says.
  if (code === "EACCES") return isMissing(dirname(path)) ? "ENOENT" : undefined;
  return code === "ENOENT" || code === "ENOTDIR" ? code : undefined;
}

function isMissing(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return codeOf(error) === "ENOENT";
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

/** What tells the socket at a path from any other that will be there; undefined: there is none. */
function socketAt(path: string): string | undefined {
  try {
    const status = lstatSync(path, { bigint: true });
    // A number of a file is used again at once. Of its times Deno knows this one best, to the millisecond.
    return status.isSocket() ? `${status.dev} ${status.ino} ${status.mtimeNs}` : undefined;
  } catch {
    return undefined;
  }
}

function isRemoved(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether nobody accepts at a path. */
function isLeftBehind(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Not the path alone: digits would be a port.
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
