/** Compressed messages with the runtime's zlib: see deflate_property.ts. */

import type { Codec } from "../../../src/protocol/codec.ts";
import { runtime } from "../../../src/runtime/detect.ts";
import { checkDeflate, DEFLATE_SEEDS } from "../deflate_property.ts";
import type { FuzzTarget } from "../target.ts";

const codec: Codec = runtime.openCodec();

/** See the top of this file. */
export const deflateTarget: FuzzTarget = {
  name: "deflate",
  maxBytes: 160,
  covers: ["/src/"],
  seeds: DEFLATE_SEEDS,
  run: (bytes) => checkDeflate(codec, bytes),
};
