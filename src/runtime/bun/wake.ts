/** The runtime's end of the wake-up socket: a Bun socket connected to an abstract Unix name. */

import type { WakeSocket } from "../runtime.ts";
import { WakeConnection } from "../wake_connection.ts";
import { bun, type TcpSocket } from "./bun.ts";

/** See {@link Runtime.openWake}. */
export function openWake(
  source: number | string,
  opened: () => void,
  wake: () => void,
  failed: (error: unknown) => void,
): WakeSocket {
  const connection = new WakeConnection<TcpSocket<undefined>>((socket) => void socket.end(), failed);
  bun
    .connect<undefined>({
      unix: String(source),
      socket: {
        open(socket) {
          if (connection.connected(socket)) opened();
        },
        data: wake,
        error: (_, error) => connection.fail(error),
        close: () => connection.fail("it was closed"),
      },
    })
    .catch((error: unknown) => connection.fail(error));
  return connection;
}
