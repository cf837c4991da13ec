/** `ringwire record`: a client that writes down all it receives and sends. */

import type { Console } from "../runtime/console.ts";
import type { Socket } from "../websocket/socket.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import { CLIENT_OPTIONS, readClient } from "./client_options.ts";
import type { Command } from "./command.ts";
import { connect, Loop, Recorder } from "./library.ts";
import { CONNECT_NAMES, renamed } from "./tls_files.ts";

const MAX_SECONDS = 2_000_000;

const OPTIONS = {
  ...CLIENT_OPTIONS,
  send: { kind: "texts" },
  seconds: { kind: "number", min: 1, max: MAX_SECONDS },
} as const;

const HELP = `Usage: ringwire record URL FILE [OPTIONS]

Connects, sends what it is told to, and records everything both ways until the server closes, the time is
over, or SIGINT or SIGTERM comes. A recording that is there already is gone on with. Prints one line at the end:
  recorded 1200 messages, 345678 bytes
Recordings hold what was sent, passwords and tokens included; the file is readable for its owner only.

  --send TEXT              a message to send first, such as a subscription; may be repeated
  --seconds N              how long                       (default: until it is ended)
  --header 'Name: value', --protocol P, --transport T, --compression C, --ca FILE, --cert FILE, --key FILE,
  --servername NAME, --insecure: as for "ringwire connect"

Exit code: 0 when everything is in the file; 1 when the connection or the disk failed.
`;

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, OPTIONS);
  const [url, path, extra] = words;
  if (url === undefined || path === undefined)
    throw new UsageError("record needs a URL and the path of a file");
  if (extra !== undefined) throw new UsageError(`Unknown argument "${extra}"; record takes a URL and a file`);
  const client = readClient(options, console);
  const givingUp = new AbortController();
  let opened: Socket | undefined;
  const stop = (): void => {
    if (opened === undefined) givingUp.abort();
    else opened.close();
  };
  console.onStop(stop);
  const recorder = new Recorder(path);
  const loop = new Loop(options.transport === undefined ? {} : { transport: options.transport });
  try {
    let messages = 0;
    let failure: string | undefined;
    const socket = await connect(url, {
      ...client,
      loop,
      record: recorder,
      signal: givingUp.signal,
      websocket: {
        text: "bytes",
        zeroCopy: true,
        compression: options.compression ?? "disabled",
        open(ws) {
          opened = ws;
          for (const text of options.send ?? []) ws.send(text);
        },
        batch(_ws, batch) {
          messages += batch.count;
        },
        error(_ws, error) {
          failure = `${error.code}: ${error.message}`;
        },
      },
    });
    const timer = options.seconds === undefined ? undefined : setTimeout(stop, options.seconds * 1_000);
    await socket.closed;
    clearTimeout(timer);
    await recorder.close();
    const { bytes, lostRecords } = recorder.stats;
    console.write(`recorded ${messages} messages, ${bytes} bytes\n`);
    if (lostRecords > 0) {
      console.writeError(`ringwire: ${lostRecords} records were lost: the disk is slower than the network\n`);
    }
    if (failure !== undefined) console.writeError(`ringwire: ${failure}\n`);
    return failure === undefined && lostRecords === 0 ? 0 : 1;
  } catch (error) {
    throw renamed(CONNECT_NAMES, error);
  } finally {
    await recorder.close();
    loop.close();
  }
}

/** See {@link Command}. */
export const recordCommand: Command = {
  name: "record",
  summary: "connect and write down everything, for replay",
  help: HELP,
  run,
};
