/** A port that a server can be killed on and come back to. */

import { createServer } from "node:net";
import process from "node:process";

const FIRST = 20_000;
const COUNT = 10_000;
let next = process.pid;

/** A free port below those that the system gives away: nobody who asks for any port gets it while the server is gone. */
export async function restartPort(): Promise<number> {
  for (;;) {
    const port = FIRST + (next++ % COUNT);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
