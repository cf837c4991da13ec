/** The codec over the shim keeps the contract, and gives back what it takes. */

import { describe, expect, it } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { openShim, type Shim } from "../../src/uring/shim.ts";
import { ShimCodec } from "../../src/uring/shim_codec.ts";
import { codecContract } from "../protocol/codec_contract.ts";

function shimOrNone(): Shim | undefined {
  try {
    return openShim(runtime, runtime.findLibrary());
  } catch (error) {
    console.log(`skipped: no shim here: ${(error as Error).message}`);
    return undefined;
  }
}

const shim = shimOrNone();
if (shim === undefined) describe.skip("codec: the shim", () => it("is not built", () => expect(1).toBe(1)));
else codecContract("the shim", () => new ShimCodec(shim), true);
