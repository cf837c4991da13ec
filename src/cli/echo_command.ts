/** `ringwire echo`: a server that sends every message back, for trying clients and measuring. */

import type { Console } from "../runtime/console.ts";
import { parseArguments, UsageError } from "./arguments.ts";
import type { Command } from "./command.ts";
import { COMPRESSION_MODES, COMPRESSION_NUMBERS, Loop, serve } from "./library.ts";
import { escapeControls } from "./printable.ts";
import { describeTls, ECHO_NAMES, inWordsOf, renamed, serverTls } from "./tls_files.ts";

const MIB = 1 << 20;
const MAX_BYTES = 2 ** 31 - 1;
const GRACE_MS = 2_000;
/** Connections over TLS that are told of without being asked. */
const NOTICES = 10;
/** Bytes are what this server limits: Autobahn sends 4 MiB in 65,536 fragments (its case 9.3.1). */
const MAX_FRAGMENTS = 1 << 20;

const OPTIONS = {
  port: { kind: "number", min: 0, max: 65_535 },
  host: { kind: "text" },
  unix: { kind: "text" },
  transport: { kind: "choice", choices: ["auto", "uring", "native"] },
  drive: { kind: "choice", choices: ["auto", "spin"] },
  "max-message": { kind: "number", min: 1, max: MAX_BYTES },
  compression: { kind: "choice", choices: COMPRESSION_MODES },
  threshold: { kind: "number", min: 0, max: MAX_BYTES },
  cert: { kind: "text" },
  key: { kind: "text" },
  "client-ca": { kind: "text" },
  verbose: { kind: "flag" },
} as const;

const HELP = `Usage: ringwire echo [OPTIONS]

Sends every message back. Prints one line when it is ready:
  listening ws://127.0.0.1:3000 transport=uring drive=auto (why this transport)
SIGINT or SIGTERM closes all connections (1001) and ends it with exit code 0.

  --port N               TCP port, 0 = any free one       (default: 3000)
  --host H               address or name to listen on     (default: 127.0.0.1)
  --unix PATH            a Unix socket instead; clients use ws+unix:PATH:/
  --transport T          auto, uring or native            (default: RINGWIRE_TRANSPORT, else auto)
  --drive D              auto: sleeps when idle; spin: polls for a while first (default: auto)
  --max-message BYTES    largest message taken; larger ones close with 1009 (default: 16777216)
  --compression C        permessage-deflate with clients that offer it: disabled, shared (each message by
                         itself) or dedicated (a window per connection); the ready line names it then
                         as compression=shared           (default: disabled)
  --threshold BYTES      smaller messages are not compressed (default: ${COMPRESSION_NUMBERS.thresholdBytes.default})
  --cert FILE            certificate with its chain, PEM; with --key, its private key, not encrypted: serves wss:, https:; the
  --key FILE             ready line says tls=on then
  --client-ca FILE       authorities of clients' certificates, PEM; clients must show one
  --verbose              a line on standard error for each connection; with TLS: its version, cipher, whether the
                         session was resumed and what the kernel encrypts (kTLS), and for each handshake that
                         failed (without --verbose: for the first ${NOTICES} over TLS)
`;

async function run(given: readonly string[], console: Console): Promise<number> {
  const { options, words } = parseArguments(given, OPTIONS);
  if (words.length > 0) throw new UsageError(`Unknown argument "${words[0]}"; echo takes options only`);
  if (options.unix !== undefined && (options.port !== undefined || options.host !== undefined)) {
    throw new UsageError(`Give either "--unix" or "--port" and "--host", not both`);
  }
  const tls = serverTls(options, console);
  const drive = options.drive ?? "auto";
  const mode = options.compression ?? "disabled";
  let noticesLeft = options.verbose ? Number.POSITIVE_INFINITY : tls === undefined ? 0 : NOTICES;
  const notice = (text: string): void => {
    if (noticesLeft === 0) return;
    console.writeError(`${escapeControls(text)}\n`);
    if (--noticesLeft === 0)
      console.writeError("further connections are not told of; --verbose tells of all\n");
  };
  const loop = new Loop({
    drive,
    ...(options.transport === undefined ? {} : { transport: options.transport }),
  });
  const maxMessageBytes = options["max-message"] ?? 16 * MIB;
  // Before the ready line: whoever reads it may send the signal at once.
  const stopAsked = new Promise<void>((resolve) => {
    console.onStop(() => resolve());
  });
  try {
    const server = await serve({
      loop,
      ...(options.unix === undefined
        ? { port: options.port ?? 3_000, hostname: options.host ?? "127.0.0.1" }
        : { unix: options.unix }),
      maxConnections: 65_535,
      ...(tls === undefined ? {} : { tls }),
      tlsError: (error) => notice(`refused: ${error.code}: ${inWordsOf(ECHO_NAMES, error.message)}`),
      websocket: {
        open(ws) {
          if (noticesLeft === 0) return;
          const peer = ws.remoteAddress;
          const from =
            peer === undefined || peer.port === 0 ? "a Unix socket" : `${peer.host} port ${peer.port}`;
          notice(`connected from ${from}${ws.tls === undefined ? "" : ` ${describeTls(ws.tls)}`}`);
        },
        compression: {
          mode,
          ...(options.threshold === undefined ? {} : { thresholdBytes: options.threshold }),
        },
        maxMessageBytes,
        maxFragments: MAX_FRAGMENTS,
        maxBufferedBytes: Math.min(MAX_BYTES, 16 * MIB + 2 * maxMessageBytes),
        batch(ws, messages) {
          let isSlow = false;
          for (const message of messages) isSlow = ws.send(message) !== "sent" || isSlow;
          // A client that sends without reading is slowed down instead of filling our memory. The rest of a batch still fits.
          if (isSlow) ws.pause();
        },
        drain(ws) {
          ws.resume();
        },
      },
    });
    const url = server.address.family === "unix" ? server.url : server.url.replace(/\/$/, "");
    const facts = [`transport=${loop.transport}`, `drive=${drive}`];
    if (mode !== "disabled") facts.push(`compression=${mode}`);
    if (tls !== undefined)
      facts.push(`tls=${tls.clientCertificate === "require" ? "client-certificates" : "on"}`);
    console.write(`listening ${url} ${facts.join(" ")} (${loop.reason})\n`);
    await stopAsked;
    await server.stop({ graceMs: GRACE_MS });
    return 0;
  } catch (error) {
    throw renamed(ECHO_NAMES, error);
  } finally {
    loop.close();
  }
}

/** See {@link Command}. */
export const echoCommand: Command = {
  name: "echo",
  summary: "serve: send every message back",
  help: HELP,
  run,
};
