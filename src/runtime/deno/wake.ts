/** The runtime's end of the wake-up socket: a Deno connection to an abstract Unix name, which needs --allow-net only. */

import type { WakeSocket } from "../runtime.ts";
import { WakeConnection } from "../wake_connection.ts";

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
  const connection = new WakeConnection<DenoConnection>((connected) => connected.close(), failed);
  const fail = (error: unknown): void => connection.fail(error);
  const buffer = new Uint8Array(64);
  const read = (connected: DenoConnection): void => {
    connected.read(buffer).then((count) => {
      if (count === null) fail("it was closed");
      else if (!connection.isClosed) {
        // The next read is asked for first: it is under way while the handlers run.
        read(connected);
        wake();
      }
    }, fail);
  };
  // An abstract name is no host that could be permitted by itself, and connecting would ask the user.
  if (deno.permissions.querySync({ name: "net" }).state !== "granted") {
    queueMicrotask(() => fail("Deno permits it only with --allow-net for every host"));
    return connection;
  }
  deno.connect({ transport: "unix", path: String(source) }).then((connected) => {
    if (!connection.connected(connected)) return;
    read(connected);
    opened();
  }, fail);
  return connection;
}
