/** The runtime's end of the wake-up socket: a Deno connection to an abstract Unix name, which needs --allow-net only. */

import type { WakeSocket } from "../runtime.ts";

/** As much of the namespace as is used here. */
interface DenoConnection {
  read(buffer: Uint8Array): Promise<number | null>;
  ref(): void;
  unref(): void;
  close(): void;
}
interface DenoNet {
  readonly permissions: { querySync(descriptor: { name: "net" }): { readonly state: string } };
  connect(options: { transport: "unix"; path: string }): Promise<DenoConnection>;
}

const deno = (globalThis as unknown as { Deno: DenoNet }).Deno;

/** See {@link Runtime.openWake}. */
export function openWake(
  source: number | string,
  opened: () => void,
  wake: () => void,
  failed: (error: unknown) => void,
): WakeSocket {
  let connection: DenoConnection | undefined;
  let isAlive = false;
  let isClosed = false;
  const buffer = new Uint8Array(64);
  const fail = (error: unknown): void => {
    if (!isClosed) failed(error);
  };
  const read = (connected: DenoConnection): void => {
    connected.read(buffer).then((count) => {
      if (count === null) fail("it was closed");
      else if (!isClosed) {
        // The next read is asked for first: it is under way while the handlers run.
        read(connected);
        wake();
      }
    }, fail);
  };
  // An abstract name is no host that could be permitted by itself, and connecting would ask the user.
  if (deno.permissions.querySync({ name: "net" }).state !== "granted") {
    queueMicrotask(() => fail("Deno permits it only with --allow-net for every host"));
    return { setAlive() {}, close() {} };
  }
  deno.connect({ transport: "unix", path: String(source) }).then((connected) => {
    if (isClosed) {
      connected.close();
      return;
    }
    connection = connected;
    if (!isAlive) connected.unref();
    read(connected);
    opened();
  }, fail);
  return {
    setAlive(alive) {
      isAlive = alive;
      if (alive) connection?.ref();
      else connection?.unref();
    },
    close() {
      isClosed = true;
      connection?.close();
      connection = undefined;
    },
  };
}
