/** `ringwire connect`: a WebSocket on the command line, for people at a terminal and for pipes. */

import type { Console } from "../runtime/console.ts";
import type { CloseInfo } from "../websocket/handlers.ts";
import type { Socket } from "../websocket/socket.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import { CLIENT_OPTIONS, readClient } from "./client_options.ts";
import type { Command } from "./command.ts";
import { COMPRESSION_NUMBERS, connect, Loop } from "./library.ts";
import { describeBytes, escapeControls } from "./printable.ts";
import { CONNECT_NAMES, describeTls, inWordsOf, renamed } from "./tls_files.ts";

const MIB = 1 << 20;
const DEFAULT_WAIT_MS = 1_000;
const MAX_WAIT_MS = 3_600_000;
/** Close codes of an orderly end: normal, going away, none given. */
const ORDERLY_CODES: readonly number[] = [1000, 1001, 1005];
const CLEAR_LINE = "\r\u001b[K";
const PROMPT = "> ";

const OPTIONS = {
  ...CLIENT_OPTIONS,
  wait: { kind: "number", min: 0, max: MAX_WAIT_MS },
  threshold: { kind: "number", min: 0, max: COMPRESSION_NUMBERS.thresholdBytes.max },
} as const;

const HELP = `Usage: ringwire connect URL [OPTIONS]

Each line of input is sent as a text message; each message that arrives is printed as a line, binary
ones as "<5 bytes> 68656c6c6f". When the input ends, answers are waited for, then the connection is
closed. URL: ws://HOST:PORT/PATH, wss:// with TLS, or ws+unix:PATH:/TARGET. What TLS has agreed on goes to
standard error, such as "TLSv1.3 TLS_AES_256_GCM_SHA384 resumed=no ktls=tx,rx".

  --header 'Name: value'   a field for the request; may be repeated
  --protocol P             a subprotocol to offer; may be repeated, the preferred one first
  --transport T            auto, uring or native          (default: RINGWIRE_TRANSPORT, else auto)
  --wait MS                after the input has ended, close once nothing has arrived for this many
                           milliseconds                   (default: ${DEFAULT_WAIT_MS})
  --compression C          offer permessage-deflate: disabled, shared (each message by itself) or
                           dedicated (a window per connection); standard error tells what the server
                           made of it                     (default: disabled)
  --threshold BYTES        smaller messages are not compressed (default: ${COMPRESSION_NUMBERS.thresholdBytes.default})
  --ca FILE                authorities to trust besides the system's, PEM
  --cert FILE              certificate to show, with its chain, PEM; with --key
  --key FILE               its private key, PEM, not encrypted
  --servername NAME        name to ask for and to find in the certificate (default: the URL's host)
  --insecure               does not verify the server: anybody on the way can read and change everything

Exit code: 0 after an orderly close (1000, 1001, no code), 1 otherwise. The close code and reason go to
standard error.
`;

/** Prints without tearing the prompt of a terminal apart. */
class Printer {
  readonly #console: Console;
  readonly #hasPrompt: boolean;

  constructor(console: Console) {
    this.#console = console;
    this.#hasPrompt = console.inputIsTerminal && console.outputIsTerminal;
  }

  prompt(): void {
    if (this.#hasPrompt) this.#console.write(PROMPT);
  }

  /** Returns false when the reader of our output is slow. */
  line(text: string): boolean {
    const shown = this.#console.outputIsTerminal ? escapeControls(text) : text;
    return this.#console.write(this.#hasPrompt ? `${CLEAR_LINE}< ${shown}\n${PROMPT}` : `${shown}\n`);
  }

  notice(text: string): void {
    if (this.#hasPrompt) this.#console.write(CLEAR_LINE);
    this.#console.writeError(`${escapeControls(text)}\n`);
  }
}

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, OPTIONS);
  const [url, extra] = words;
  if (url === undefined) throw new UsageError("connect needs a URL, such as ws://127.0.0.1:3000");
  if (extra !== undefined) throw new UsageError(`Unknown argument "${extra}"; connect takes one URL`);
  const client = readClient(options, console);
  const loop = new Loop(options.transport === undefined ? {} : { transport: options.transport });
  try {
    const printer = new Printer(console);
    let lastMs = performance.now();
    let failure: string | undefined;
    let isPaused = false;
    const givingUp = new AbortController();
    let opened: Socket | undefined;
    console.onStop(() => {
      if (opened === undefined) givingUp.abort();
      else opened.close();
    });
    const socket = await connect(url, {
      loop,
      signal: givingUp.signal,
      ...client,
      websocket: {
        // A line may have 16 MiB: one in the queue must not keep the next one out.
        maxBufferedBytes: 64 * MIB,
        compression: {
          mode: options.compression ?? "disabled",
          ...(options.threshold === undefined ? {} : { thresholdBytes: options.threshold }),
        },
        open(ws) {
          opened = ws;
        },
        message(ws, data) {
          lastMs = performance.now();
          if (printer.line(typeof data === "string" ? data : describeBytes(data)) || isPaused) return;
          // Whoever reads our output slowly slows the server down, instead of filling our memory.
          isPaused = true;
          ws.pause();
          console.outputDrained().then(() => {
            isPaused = false;
            ws.resume();
          });
        },
        error(_ws, error) {
          failure = `${error.code}: ${inWordsOf(CONNECT_NAMES, error.message)}`;
        },
      },
    });
    if (socket.tls !== undefined) printer.notice(describeTls(socket.tls));
    const wantsCompression = (options.compression ?? "disabled") !== "disabled";
    if (console.inputIsTerminal || wantsCompression) {
      const facts = [`connected over ${loop.transport}`];
      if (socket.protocol !== "") facts.push(`subprotocol ${socket.protocol}`);
      if (wantsCompression) facts.push(socket.extensions || "no compression: the server declines it");
      printer.notice(facts.join(", ") + (console.inputIsTerminal ? "; Ctrl-D or Ctrl-C closes" : ""));
    }
    const closed = socket.closed;
    const sending = sendLines(socket, console, printer).then(async () => {
      await untilSilent(() => lastMs, options.wait ?? DEFAULT_WAIT_MS);
      socket.close();
    });
    // Whichever comes first; after a close by the peer the input is not read any more.
    await Promise.race([closed, sending]);
    const info = await closed;
    if (failure !== undefined) printer.notice(`ringwire: ${failure}`);
    printer.notice(`closed ${info.code}${info.reason === "" ? "" : ` ${info.reason}`}`);
    return isOrderly(info) ? 0 : 1;
  } catch (error) {
    throw renamed(CONNECT_NAMES, error);
  } finally {
    loop.close();
  }
}

/** Sends the input line by line, no faster than the peer reads. */
async function sendLines(socket: Socket, console: Console, printer: Printer): Promise<void> {
  printer.prompt();
  for await (const line of console.lines()) {
    let status = socket.send(line);
    while (status !== "sent" && socket.state === "open") {
      await socket.drained().catch(() => {
        // It has closed meanwhile, which the loop's condition sees.
      });
      if (status === "queued") break;
      status = socket.send(line);
    }
    if (socket.state !== "open") return;
    printer.prompt();
  }
}

/** Resolves once nothing has arrived for `waitMs`. */
async function untilSilent(lastMs: () => number, waitMs: number): Promise<void> {
  const startMs = performance.now();
  for (;;) {
    const restMs = Math.max(lastMs(), startMs) + waitMs - performance.now();
    if (restMs <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

function isOrderly({ code, wasClean }: CloseInfo): boolean {
  return wasClean && ORDERLY_CODES.includes(code);
}

/** See {@link Command}. */
export const connectCommand: Command = {
  name: "connect",
  summary: "talk to a WebSocket server by lines, like wscat",
  help: HELP,
  run,
};
