/** What this machine and runtime give Ringwire: gathered by trying, not by guessing from versions. */

import type { Console, ProcessLimit } from "../runtime/console.ts";
import type { Shim } from "../uring/shim.ts";
import { type CallCost, measureCallCost } from "./call_cost.ts";
import { chooseShim, connect, Loop, openShim, RingwireError, runtime, serve, VERSION } from "./library.ts";

const WARM_UP_ROUNDS = 200;
const ROUNDS = 1_000;
const ROUNDS_LIMIT_MS = 2_000;

/** One transport, tried by echoing messages through it. */
export interface TransportDiagnosis {
  readonly name: "uring" | "native";
  /** Whether messages came back. */
  readonly works: boolean;
  /** What it found, or what is wrong. */
  readonly reason: string;
  /** Median of one message there and back over loopback, both ends in this thread, microseconds. */
  readonly echoP50Us?: number;
  /** The 99th percentile of the same. */
  readonly echoP99Us?: number;
}

/** Everything `ringwire doctor` tells. */
export interface Diagnosis {
  readonly version: string;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly platform: string;
  readonly architecture: string;
  /** Undefined where reading it is not permitted. */
  readonly kernel: string | undefined;
  readonly shim: {
    readonly path: string | undefined;
    /** Where that path is from. */
    readonly source: "RINGWIRE_LIBRARY" | "package" | "checkout" | "program" | "none";
    readonly loads: boolean;
    readonly reason: string;
    readonly callNs?: number;
    readonly instructions?: string;
    /** The OpenSSL in it. */
    readonly openssl?: string;
  };
  /** Whether this kernel has kernel TLS loaded, and if not, why not as far as can be told. */
  readonly kernelTls: { readonly works: boolean | undefined; readonly reason: string };
  /** What a program that asks for nothing gets. */
  readonly chosen: { readonly transport: string; readonly reason: string };
  readonly transports: readonly TransportDiagnosis[];
  /** Of this process; undefined where they cannot be read. */
  readonly limits: {
    readonly openFiles: ProcessLimit | undefined;
    readonly lockedMemoryBytes: ProcessLimit | undefined;
  };
}

/** Gathers everything; takes less than a second where things work. */
export async function diagnose(console: Console): Promise<Diagnosis> {
  return {
    version: VERSION,
    runtime: { name: runtime.name, version: runtime.version },
    platform: runtime.platform,
    architecture: console.architecture,
    kernel: console.kernel(),
    shim: diagnoseShim(),
    kernelTls: diagnoseKernelTls(console),
    chosen: diagnoseChoice(),
    transports: [await diagnoseTransport("uring"), await diagnoseTransport("native")],
    limits: {
      openFiles: console.limit("Max open files"),
      lockedMemoryBytes: console.limit("Max locked memory"),
    },
  };
}

function diagnoseShim(): Diagnosis["shim"] {
  const path = chooseShim(runtime, undefined);
  const found = { path, source: sourceOf(path) };
  try {
    const cost: CallCost = measureCallCost(runtime, path);
    return { ...found, loads: true, reason: "loaded", ...cost, openssl: opensslOf(openShim(runtime, path)) };
  } catch (error) {
    return { ...found, loads: false, reason: messageOf(error) };
  }
}

function sourceOf(path: string | undefined): Diagnosis["shim"]["source"] {
  if (path === undefined) return "none";
  if (path === runtime.environment("RINGWIRE_LIBRARY")) return "RINGWIRE_LIBRARY";
  if (/\/@ringwire\/linux-[^/]+\//.test(path)) return "package";
  return path.endsWith("/ffi/build/libringwire.so") ? "checkout" : "program";
}

function opensslOf(shim: Shim): string {
  const text = new Uint8Array(128);
  const bytes = shim.rw_tls_version(text, text.length);
  return new TextDecoder().decode(text.subarray(0, Math.max(0, bytes)));
}

/** What protocols the kernel can put upon TCP, those of modules once they are loaded. */
const UPPER_PROTOCOLS_FILE = "/proc/sys/net/ipv4/tcp_available_ulp";

function diagnoseKernelTls(console: Console): Diagnosis["kernelTls"] {
  if (runtime.platform !== "linux") return { works: false, reason: "only Linux has it" };
  let loaded: string;
  try {
    loaded = console.readFile(UPPER_PROTOCOLS_FILE);
  } catch {
    return { works: undefined, reason: `${UPPER_PROTOCOLS_FILE} cannot be read here` };
  }
  if (loaded.trim().split(/\s+/).includes("tls")) return { works: true, reason: "loaded" };
  return {
    works: false,
    reason:
      "the kernel was built without CONFIG_TLS, or its module is not loaded (programs of root load it themselves, others need modprobe tls)",
  };
}

function diagnoseChoice(): Diagnosis["chosen"] {
  try {
    const loop = new Loop();
    const chosen = { transport: loop.transport, reason: loop.reason };
    loop.close();
    return chosen;
  } catch (error) {
    return { transport: "none", reason: messageOf(error) };
  }
}

async function diagnoseTransport(name: "uring" | "native"): Promise<TransportDiagnosis> {
  let loop: Loop | undefined;
  try {
    loop = new Loop({ transport: name });
    const times = (await echoTimes(loop)).sort((a, b) => a - b);
    return {
      name,
      works: true,
      reason: loop.reason,
      echoP50Us: times[Math.floor(times.length * 0.5)],
      echoP99Us: times[Math.floor(times.length * 0.99)],
    };
  } catch (error) {
    return { name, works: false, reason: messageOf(error) };
  } finally {
    loop?.close();
  }
}

/** Times of single messages there and back, microseconds. */
async function echoTimes(loop: Loop): Promise<number[]> {
  const server = await serve({
    loop,
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  const times: number[] = [];
  const beginMs = runtime.nowMs();
  let sentMs = 0;
  let rounds = 0;
  const socket = await connect(server.url, {
    loop,
    websocket: {
      open(ws) {
        sentMs = runtime.nowMs();
        ws.send("ping");
      },
      message(ws) {
        const nowMs = runtime.nowMs();
        if (++rounds > WARM_UP_ROUNDS) times.push((nowMs - sentMs) * 1_000);
        if (times.length === ROUNDS || nowMs - beginMs > ROUNDS_LIMIT_MS) {
          ws.close();
          return;
        }
        sentMs = runtime.nowMs();
        ws.send("ping");
      },
    },
  });
  const { wasClean, code } = await socket.closed;
  await server.stop();
  if (!wasClean || times.length === 0) {
    throw new RingwireError("ERR_CONNECTION_CLOSED", `Cannot echo: the connection ended with ${code}`);
  }
  return times;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
