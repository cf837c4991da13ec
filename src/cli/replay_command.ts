/** `ringwire replay`: plays the messages of a recording, to the terminal or to whoever connects. */

import type { Console } from "../runtime/console.ts";
import type { Socket } from "../websocket/socket.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { Loop, serve } from "./library.ts";
import { describeBytes, escapeControls } from "./printable.ts";
import { RecordedMessages } from "./recorded_messages.ts";

const GRACE_MS = 2_000;

const OPTIONS = {
  speed: { kind: "text" },
  serve: { kind: "number", min: 0, max: 65_535 },
  host: { kind: "text" },
  transport: { kind: "choice", choices: ["auto", "uring", "native"] },
} as const;

const HELP = `Usage: ringwire replay FILE [OPTIONS]

Plays the messages that a recording has received. Without --serve each is printed as a line, as by "ringwire
connect". With it, a server plays them from the beginning to everyone who connects, then closes (1000); it prints
one line when it is ready:
  listening ws://127.0.0.1:3000 replaying session.rwr
SIGINT or SIGTERM ends it with exit code 0.

  --speed X        1: as it was recorded, 10: ten times as fast, max: as fast as it is taken (default: 1)
  --serve PORT     TCP port, 0 = any free one
  --host H         address or name to listen on           (default: 127.0.0.1)
  --transport T    auto, uring or native, for the server  (default: RINGWIRE_TRANSPORT, else auto)

Exit code: 0, or 1 when the recording is damaged or misses something.
`;

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, OPTIONS);
  const [path, extra] = words;
  if (path === undefined) throw new UsageError("replay needs the path of a recording");
  if (extra !== undefined) throw new UsageError(`Unknown argument "${extra}"; replay takes one file`);
  const speed = readSpeed(options.speed ?? "1");
  if (options.serve === undefined) {
    if (options.host !== undefined || options.transport !== undefined) {
      throw new UsageError(`Options "--host" and "--transport" are for "--serve"`);
    }
    return print(path, speed, console);
  }
  const loop = new Loop(options.transport === undefined ? {} : { transport: options.transport });
  const stopAsked = new Promise<void>((resolve) => {
    console.onStop(() => resolve());
  });
  try {
    const server = await serve<RecordedMessages | undefined>({
      loop,
      port: options.serve,
      hostname: options.host ?? "127.0.0.1",
      protocols: ["*"],
      websocket: {
        // What a client sends is not part of the recording.
        message() {},
        open(ws) {
          ws.data = playTo(ws, path, speed, console);
        },
        close: (ws) => ws.data?.stop(),
      },
    });
    console.write(`listening ${server.url.replace(/\/$/, "")} replaying ${path}\n`);
    await stopAsked;
    await server.stop({ graceMs: GRACE_MS });
    return 0;
  } finally {
    loop.close();
  }
}

async function print(path: string, speed: number, console: Console): Promise<number> {
  const messages = new RecordedMessages(path, speed, {
    take: (data, isText) => console.write(`${lineOf(data, isText, console)}\n`),
    ready: () => console.outputDrained(),
    notice: (text) => console.writeError(`ringwire: ${text}\n`),
  });
  console.onStop(() => messages.stop());
  const { incomplete, missed } = await messages.finished;
  if (incomplete > 0)
    console.writeError(`ringwire: ${incomplete} connections are not recorded to their end\n`);
  return incomplete + missed > 0 ? 1 : 0;
}

/** Closes the client at the end. */
function playTo(
  ws: Socket<RecordedMessages | undefined>,
  path: string,
  speed: number,
  console: Console,
): RecordedMessages {
  const messages = new RecordedMessages(path, speed, {
    take: (data, isText) => (isText ? ws.sendText(data) : ws.send(data)) === "sent",
    ready: () =>
      ws.drained().catch(() => {
        // It has closed, which stops the replay.
      }),
    notice: (text) => console.writeError(`ringwire: ${text}\n`),
  });
  messages.finished.then(() => ws.close());
  return messages;
}

const decoder = new TextDecoder();

function lineOf(data: Uint8Array, isText: boolean, console: Console): string {
  const text = isText ? decoder.decode(data) : describeBytes(data);
  return console.outputIsTerminal ? escapeControls(text) : text;
}

function readSpeed(text: string): number {
  const speed = text === "max" ? Infinity : /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(speed > 0)) throw new UsageError(`Option "--speed" must be a number above 0, or max, not "${text}"`);
  return speed;
}

/** See {@link Command}. */
export const replayCommand: Command = {
  name: "replay",
  summary: "play a recording, to the terminal or to whoever connects",
  help: HELP,
  run,
};
