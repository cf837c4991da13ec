/**
 * What a call into the shim costs on this runtime, and from how many bytes on the byte loops in C beat the ones
 * in TypeScript: the numbers behind src/uring/thresholds.ts. `npm run bench -- ffi` runs it on all three. What a round trip through the ring
 * and a wake-up cost is in ping-pong-spin and ping-pong-parked.
 *
 * `--smoke` runs everything for a moment.
 */

import { do_not_optimize, measure } from "mitata";
import { unmaskShort } from "../src/protocol/mask.ts";
import { scalarKernels } from "../src/protocol/scalar_kernels.ts";
import { runtime } from "../src/runtime/detect.ts";
import { TURN_RECYCLE } from "../src/uring/layout.ts";
import { Ring } from "../src/uring/ring.ts";
import { openShim } from "../src/uring/shim.ts";
import { ABI_SYMBOLS } from "../src/uring/symbols.ts";

const options: readonly string[] = typeof process === "undefined" ? [] : process.argv.slice(2);
const isSmoke = options.includes("--smoke");

const MIB = 1 << 20;
const library = runtime.environment("RINGWIRE_LIBRARY") ?? runtime.findLibrary();
const shim = openShim(runtime, library);
const ring = Ring.open(
  shim,
  {
    maxConnections: 16,
    receiveArenaBytes: MIB,
    sendArenaBytes: MIB,
    maxQueuedBytes: MIB,
    maxQueuedTotalBytes: MIB,
    submissionEntries: 64,
  },
  0,
);
const { rw_abi_version } = runtime.openLibrary(library!, ABI_SYMBOLS);
const block = ring.bytes;
const view = scalarKernels.viewOf(block);
const from = ring.sendStart;
const foreign = new Uint8Array(MIB);
const KEY = 0x1badcafe;
const SIZES = isSmoke ? [64] : [16, 32, 64, 128, 256, 512, 1_024, 4_096, 65_536];
/** Of each figure: the time that it is measured for. */
const MEASURE_NS = isSmoke ? 1e5 : 5e7;
const letters = new TextEncoder().encode("an ordinary line of text, ASCII as most of them are. ");
for (let at = 0; at < 65_536; at++) block[from + at] = letters[at % letters.length];
foreign.set(block.subarray(from, from + 65_536));

/** The median, nanoseconds. */
async function nsOf(call: () => unknown): Promise<string> {
  const { p50 } = await measure(call, { min_cpu_time: MEASURE_NS });
  return p50.toFixed(p50 < 100 ? 1 : 0);
}

function print(cells: readonly string[]): void {
  console.log(cells.map((cell, column) => (column === 0 ? cell.padEnd(30) : cell.padStart(14))).join(""));
}

print(["a call, ns"]);
print(["rw_abi_version", await nsOf(() => do_not_optimize(rw_abi_version()))]);
print(["rw_turn with nothing to do", await nsOf(() => ring.turn(TURN_RECYCLE, 0))]);

// XOR twice gives the text back, and an odd number of rounds leaves bytes that no loop minds.
print(["\nunmasking, ns", "TypeScript", "unmaskShort", "rw_unmask", "rw_unmask_at"]);
for (const size of SIZES) {
  const to = from + size;
  print([
    `${size} B`,
    await nsOf(() => scalarKernels.unmask(block, from, to, KEY)),
    await nsOf(() => unmaskShort(block, view, from, to, KEY)),
    await nsOf(() => ring.unmask(from, size, KEY)),
    await nsOf(() => shim.rw_unmask_at(foreign.subarray(0, size), size, KEY)),
  ]);
}

const text = ring.sendStart + 131_072;
for (let at = 0; at < 65_536; at++) block[text + at] = letters[at % letters.length];
const foreignText = block.slice(text, text + 65_536);
print(["\nchecking UTF-8, ns", "TypeScript", "rw_utf8", "rw_utf8_at"]);
for (const size of SIZES) {
  print([
    `${size} B`,
    await nsOf(() => do_not_optimize(scalarKernels.utf8(block, text, text + size))),
    await nsOf(() => do_not_optimize(ring.utf8(text, size))),
    await nsOf(() => do_not_optimize(shim.rw_utf8_at(foreignText.subarray(0, size), size))),
  ]);
}
ring.close();
