/**
 * What a call into the shim costs on this runtime, and from how many bytes on the byte loops in C beat the ones
 * in TypeScript: the numbers behind src/uring/thresholds.ts. Bun and Deno run it as it is, Node after a build:
 *
 *     bun bench/ffi.ts; deno run -A bench/ffi.ts
 *     tsc -p tsconfig.node.json; RINGWIRE_LIBRARY=ffi/build/libringwire.so node build/node/bench/ffi.js
 *
 * `--smoke` runs everything once, `--json` prints JSON.
 */

import { bench, do_not_optimize, group, run } from "mitata";
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
const SIZES = isSmoke ? [64] : [16, 32, 64, 96, 128, 192, 256, 512, 1_024, 4_096, 16_384, 65_536];
const letters = new TextEncoder().encode("an ordinary line of text, ASCII as most of them are. ");
for (let at = 0; at < 65_536; at++) block[from + at] = letters[at % letters.length];
foreign.set(block.subarray(from, from + 65_536));

group("calls", () => {
  bench("rw_abi_version", () => do_not_optimize(rw_abi_version()));
  bench("rw_turn with nothing to do", () => ring.turn(TURN_RECYCLE, 0));
});

// XOR twice gives the text back, and an odd number of rounds leaves bytes that no loop minds.
group("unmask", () => {
  for (const size of SIZES) {
    bench(`unmask ${size} B, TypeScript`, () => scalarKernels.unmask(block, from, from + size, KEY));
    bench(`unmask ${size} B, unmaskShort`, () => unmaskShort(block, view, from, from + size, KEY));
    bench(`unmask ${size} B, rw_unmask`, () => ring.unmask(from, size, KEY));
    bench(`unmask ${size} B, rw_unmask_at`, () => shim.rw_unmask_at(foreign.subarray(0, size), size, KEY));
  }
});

const text = ring.sendStart + 131_072;
for (let at = 0; at < 65_536; at++) block[text + at] = letters[at % letters.length];
const foreignText = block.slice(text, text + 65_536);
group("utf8", () => {
  for (const size of SIZES) {
    bench(`utf8 ${size} B, TypeScript`, () => do_not_optimize(scalarKernels.utf8(block, text, text + size)));
    bench(`utf8 ${size} B, rw_utf8`, () => do_not_optimize(ring.utf8(text, size)));
    bench(`utf8 ${size} B, rw_utf8_at`, () =>
      do_not_optimize(shim.rw_utf8_at(foreignText.subarray(0, size), size)),
    );
  }
});

await run(
  options.includes("--json") ? { format: { json: { samples: false } } } : isSmoke ? { format: "quiet" } : {},
);
ring.close();
