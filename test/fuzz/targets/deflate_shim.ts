/** Compressed messages with the shim's zlib and libdeflate: see deflate_property.ts. */

import type { Codec } from "../../../src/protocol/codec.ts";
import { runtime } from "../../../src/runtime/detect.ts";
import { openShim } from "../../../src/uring/shim.ts";
import { ShimCodec } from "../../../src/uring/shim_codec.ts";
import { checkDeflate, DEFLATE_SEEDS } from "../deflate_property.ts";
import type { FuzzTarget } from "../target.ts";

let codec: Codec | undefined;
let unavailable: string | undefined;
try {
  codec = new ShimCodec(openShim(runtime, runtime.environment("RINGWIRE_LIBRARY") ?? runtime.findLibrary()));
} catch (error) {
  unavailable = `no shim: ${(error as Error).message}`;
}

/** See the top of this file. */
export const deflateShimTarget: FuzzTarget = {
  name: "deflate_shim",
  maxBytes: 160,
  covers: ["/src/"],
  unavailable,
  seeds: DEFLATE_SEEDS,
  run: (bytes) => checkDeflate(codec as Codec, bytes),
};
