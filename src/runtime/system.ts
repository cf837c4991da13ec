/** What is the same on all three runtimes, through the node:* modules that all of them have. */

import crypto, { randomFillSync } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { lookup } from "node:dns/promises";
import process from "node:process";
import { rootCertificates } from "node:tls";
import { RingwireError, systemError } from "../errors.ts";
import { bufferLatin1Reader, bufferUtf8Reader } from "./buffer_text.ts";
import type { DiagnosticChannel, Runtime } from "./runtime.ts";
import { openZlibCodec } from "./zlib_codec.ts";

/** Base64 of a digest: in one call where there is one (from Node 20.12 on). */
const digest: (algorithm: "sha1" | "sha256", text: string) => string =
  crypto.hash === undefined
    ? (algorithm, text) => crypto.createHash(algorithm).update(text).digest("base64")
    : (algorithm, text) => crypto.hash(algorithm, text, "base64");

/**
 * Held for as long as the process lives: runtimes find a channel by its name through a weak reference, and one that was
 * collected and made again can be lost to subscribers (seen on Bun).
 */
const channels = new Map<string, DiagnosticChannel>();

function heldChannel(name: string): DiagnosticChannel {
  const held = channels.get(name) ?? channel(name);
  channels.set(name, held);
  return held;
}

/** What is to run at the end of the process, by one listener: runtimes warn of eleven. */
const exitCallbacks = new Set<() => void>();

function exiting(): void {
  for (const callback of exitCallbacks) callback();
}

/** The members of {@link Runtime} that need no runtime's own API. */
export const system: Pick<
  Runtime,
  | (
      | "rootCertificates"
      | "nowMs"
      | "randomFill"
      | "readUtf8"
      | "readLatin1"
      | "sha1Base64"
      | "sha256Base64"
      | "defer"
      | "setTimer"
    )
  | ("stayAlive" | "onExit" | "resolve" | "openCodec" | "channel")
> = {
  rootCertificates: () => rootCertificates,
  nowMs: () => performance.now(),
  randomFill(bytes) {
    randomFillSync(bytes);
  },
  readUtf8: bufferUtf8Reader(Infinity),
  readLatin1: bufferLatin1Reader,
  sha1Base64: (text) => digest("sha1", text),
  sha256Base64: (text) => digest("sha256", text),
  openCodec: openZlibCodec,
  defer(callback) {
    setImmediate(callback);
  },
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    unref(timer);
    return () => clearTimeout(timer);
  },
  stayAlive() {
    // The only thing all three wait for without a descriptor: a timer, of the longest period there is.
    const timer = setInterval(() => undefined, 2 ** 31 - 1);
    return () => clearInterval(timer);
  },
  onExit(callback) {
    if (exitCallbacks.size === 0) process.on("exit", exiting);
    exitCallbacks.add(callback);
    return () => {
      exitCallbacks.delete(callback);
      if (exitCallbacks.size === 0) process.removeListener("exit", exiting);
    };
  },
  channel: heldChannel,
  async resolve(host) {
    try {
      const found = await lookup(host, { all: true, verbatim: true });
      return found.map(({ address, family }) => ({
        host: address,
        family: family === 6 ? "ipv6" : "ipv4",
      }));
    } catch (cause) {
      const { code } = cause as { code?: unknown };
      if (code === "EPERM" || code === "ERR_ACCESS_DENIED")
        throw systemError(`Cannot resolve "${host}" without --allow-net`, "EACCES", cause);
      throw new RingwireError(
        "ERR_HOST_NOT_FOUND",
        `Cannot resolve "${host}": no such host; check the name`,
        {
          cause,
        },
      );
    }
  },
};

/** Deno's global timers are numbers, with a function of its own; Node's and Bun's are objects. */
function unref(timer: unknown): void {
  if (typeof timer === "number") {
    (globalThis as unknown as { Deno: { unrefTimer(id: number): void } }).Deno.unrefTimer(timer);
  } else (timer as { unref(): void }).unref();
}

/** The error of a shim that cannot be loaded. */
export function libraryError(path: string, why: string, advice: string, cause?: unknown): RingwireError {
  return new RingwireError("ERR_LIBRARY", `Cannot load the shim "${path}": ${why}; ${advice}`, { cause });
}

/** What to do about a shim that is missing or broken. */
export const BUILD_ADVICE =
  "build it with `make -C ffi`, or name another one with the option `library` or RINGWIRE_LIBRARY";
