/** The runtime's end of the wake-up socket: a Bun socket connected to an abstract Unix name. */

import type { WakeSocket } from "../runtime.ts";

/** See {@link Runtime.openWake}. */
export function openWake(
  source: number | string,
  opened: () => void,
  wake: () => void,
  failed: (error: unknown) => void,
): WakeSocket {
  let socket: Bun.Socket | undefined;
  let isAlive = false;
  let isClosed = false;
  const fail = (error: unknown): void => {
    if (!isClosed) failed(error);
  };
  Bun.connect({
    unix: String(source),
    socket: {
      open(connected) {
        socket = connected;
        if (isClosed) connected.end();
        if (!isAlive) connected.unref();
        opened();
      },
      data: wake,
      error: (_, error) => fail(error),
      close: () => fail("it was closed"),
    },
  }).catch(fail);
  return {
    setAlive(alive) {
      isAlive = alive;
      if (alive) socket?.ref();
      else socket?.unref();
    },
    close() {
      isClosed = true;
      socket?.end();
    },
  };
}
