/**
 * The runtime's end of the wake-up socket: node:net's connection to an abstract Unix name, which needs --allow-net only. Deno.connect takes a
 * promise for each read, and wakes a microsecond later.
 */

import { connect, type Socket } from "node:net";
import type { WakeSocket } from "../runtime.ts";
import { WakeConnection } from "../wake_connection.ts";
import { lacksOnread } from "./sockets.ts";

/** As much of the namespace as is used here. */
interface DenoPermissions {
  readonly permissions: { querySync(descriptor: { name: "net" }): { readonly state: string } };
}

const deno = (globalThis as unknown as { Deno: DenoPermissions }).Deno;

/** See {@link Runtime.openWake}. */
export function openWake(
  source: number | string,
  opened: () => void,
  wake: () => void,
  failed: (error: unknown) => void,
): WakeSocket {
  const connection = new WakeConnection<Socket>((connected) => void connected.destroy(), failed);
  // An abstract name is no host that could be permitted by itself, and connecting would ask the user.
  if (deno.permissions.querySync({ name: "net" }).state !== "granted") {
    queueMicrotask(() => connection.fail("Deno permits it only with --allow-net for every host"));
    return connection;
  }
  // No Buffer is made and no stream event runs per byte.
  const onread = {
    buffer: new Uint8Array(64),
    callback(): boolean {
      wake();
      return true;
    },
  };
  const path = String(source);
  const socket = connect(lacksOnread() ? { path } : { path, onread });
  if (lacksOnread()) socket.on("data", wake);
  socket.on("connect", () => {
    if (connection.connected(socket)) opened();
  });
  socket.on("error", (error) => connection.fail(error));
  socket.on("close", () => connection.fail("it was closed"));
  return connection;
}
