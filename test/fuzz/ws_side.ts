/** The receiver of ws, fed as its socket would feed it. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DeflateParameters } from "../../src/protocol/codec.ts";
import { bytesKey } from "./byte_text.ts";
import type { Heard } from "./frame_oracle.ts";

/** As much of ws's receiver as is used here. */
interface Receiver {
  on(event: string, listener: (...values: never[]) => void): void;
  /** The Writable's own entry; the callback comes before it returns, unless something is inflated. */
  _write(chunk: Uint8Array, encoding: string, done: (error?: Error & Record<symbol, number>) => void): void;
}

/** As much of ws's compression as is used here. */
interface PerMessageDeflate {
  accept(configurations: readonly Record<string, readonly (string | boolean)[]>[]): void;
  cleanup(): void;
}

type Maker<T> = new (options: Record<string, unknown>) => T;

/** ws itself, found above this file or its compiled form: importing "ws" gives another library on some runtimes. */
function findWs(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules/ws/lib");
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

const folder = findWs();
const isNode = !("Bun" in globalThis || "Deno" in globalThis);

function load<T>(name: string): Maker<T> {
  return createRequire(import.meta.url)(join(folder as string, name));
}

/** Why ws cannot be asked here; undefined: it can. */
export const wsUnavailable: string | undefined = !isNode
  ? "ws's own receiver is the reference on Node; under Bun and Deno other code stands in for parts of it"
  : folder === undefined
    ? "ws is not installed"
    : undefined;

/** What a side made of a stream. */
export interface Outcome {
  readonly events: readonly Heard[];
  /** Close code of the failure; undefined: none. */
  readonly failure: number | undefined;
}

/** How ws is set up. */
export interface WsSetting {
  readonly masked: boolean;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  /** How the peer compresses; undefined: not at all. */
  readonly deflate?: DeflateParameters | undefined;
}

/** Has ws listen to a stream. */
export async function hearWithWs(portions: readonly Uint8Array[], setting: WsSetting): Promise<Outcome> {
  const { masked, maxMessageBytes, maxFragments, deflate } = setting;
  const events: Heard[] = [];
  let failure: number | undefined;
  const extension = deflate && openDeflate(masked, maxMessageBytes, deflate);
  const receiver = new (load<Receiver>("receiver.js"))({
    isServer: masked,
    maxPayload: maxMessageBytes,
    maxFragments,
    extensions: extension === undefined ? {} : { "permessage-deflate": extension },
  });
  receiver.on("message", (data: Uint8Array, isBinary: boolean) => {
    events.push([isBinary ? "binary" : "text", bytesKey(data)]);
  });
  receiver.on("ping", (data: Uint8Array) => events.push(["ping", bytesKey(data)]));
  receiver.on("pong", (data: Uint8Array) => events.push(["pong", bytesKey(data)]));
  const isClosed = (): boolean => events.at(-1)?.[0] === "close";
  let isTaken = (): void => undefined;
  receiver.on("conclude", (code: number, reason: Uint8Array) => {
    events.push(["close", code, bytesKey(reason)]);
    isTaken();
  });
  for (const portion of portions) {
    if (portion.length === 0) continue;
    await new Promise<void>((resolve) => {
      isTaken = resolve;
      receiver._write(Buffer.from(portion), "", (error) => {
        if (error !== undefined) failure = statusOf(error);
        resolve();
      });
    });
    if (failure !== undefined || isClosed()) break;
  }
  extension?.cleanup();
  return { events, failure };
}

function openDeflate(isServer: boolean, maxPayload: number, deflate: DeflateParameters): PerMessageDeflate {
  const extension = new (load<PerMessageDeflate>("permessage-deflate.js"))({ isServer, maxPayload });
  const peer = isServer ? "client" : "server";
  extension.accept([
    {
      [`${peer}_max_window_bits`]: [String(deflate.windowBits)],
      ...(deflate.takeover ? {} : { [`${peer}_no_context_takeover`]: [true] }),
    },
  ]);
  return extension;
}

function statusOf(error: Error & Record<symbol, number>): number {
  const symbol = Object.getOwnPropertySymbols(error).find((each) => each.description === "status-code");
  return symbol === undefined ? 0 : error[symbol];
}
