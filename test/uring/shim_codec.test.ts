/** The codec over the shim keeps the contract, and gives back what it takes. */

import { describe, expect, it } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import type { Codec } from "../../src/protocol/codec.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { openShim, type Shim } from "../../src/uring/shim.ts";
import { ShimCodec } from "../../src/uring/shim_codec.ts";
import { codecContract, deflated, inflated, quote } from "../protocol/codec_contract.ts";

const EFFORT = { level: 6, memoryLevel: 8 };

function shimOrNone(): Shim | undefined {
  try {
    return openShim(runtime, runtime.findLibrary());
  } catch (error) {
    console.log(`skipped: no shim here: ${(error as Error).message}`);
    return undefined;
  }
}

/** The shim, with a count of the codecs open in C. */
function counted(shim: Shim): Shim & { open: number } {
  const counting = {
    ...shim,
    open: 0,
    rw_deflate_open: (...given: (number | Uint8Array)[]) => opened(shim.rw_deflate_open(...given)),
    rw_inflate_open: (...given: (number | Uint8Array)[]) => opened(shim.rw_inflate_open(...given)),
    rw_codec_close: (...given: (number | Uint8Array)[]) => {
      counting.open--;
      return shim.rw_codec_close(...given);
    },
  };
  function opened(handle: number): number {
    if (handle > 0) counting.open++;
    return handle;
  }
  return counting;
}

function use(codec: Codec, takeover: boolean): () => void {
  const parameters = { windowBits: 12, takeover };
  const deflater = codec.openDeflater(parameters, EFFORT);
  const inflater = codec.openInflater(parameters);
  expect(inflated(inflater, deflated(deflater, quote(1)))).toEqual(quote(1));
  return () => {
    deflater.close();
    inflater.close();
  };
}

const shim = shimOrNone();
if (shim === undefined) {
  describe.skip("codec: the shim", () => it("is not built", () => expect(1).toBe(1)));
} else {
  codecContract("the shim", () => new ShimCodec(shim), true);

  describe("codec: the shim's memory", () => {
    it("10,000 connections without takeover share one state for each direction", () => {
      const counting = counted(shim);
      const codec = new ShimCodec(counting);
      const closers = Array.from({ length: 10_000 }, () => use(codec, false));
      expect(counting.open).toBe(2);
      for (const close of closers) close();
      expect(counting.open).toBe(2);
      codec.close();
      codec.close();
      expect(counting.open).toBe(0);
    });

    it("connections with takeover take theirs with the first message and give it back", () => {
      const counting = counted(shim);
      const codec = new ShimCodec(counting);
      const idle = codec.openInflater({ windowBits: 15, takeover: true });
      expect(counting.open).toBe(0);
      idle.close();
      const closers = Array.from({ length: 100 }, () => use(codec, true));
      expect(counting.open).toBe(200);
      for (const close of closers) {
        close();
        close();
      }
      expect(counting.open).toBe(0);
      codec.close();
    });

    it("says it when C has no memory, and works again when it has", () => {
      let isFull = true;
      const full = {
        ...shim,
        rw_deflate_open: (...given: (number | Uint8Array)[]) =>
          isFull ? -12 : shim.rw_deflate_open(...given),
        rw_inflate: (...given: (number | Uint8Array)[]) => (isFull ? -12 : shim.rw_inflate(...given)),
      };
      const codec = new ShimCodec(full);
      const deflater = codec.openDeflater({ windowBits: 15, takeover: true }, EFFORT);
      const inflater = codec.openInflater({ windowBits: 15, takeover: false });
      const failed = (run: () => unknown): string => {
        try {
          run();
        } catch (error) {
          if (error instanceof RingwireError) return error.code;
        }
        return "nothing";
      };
      expect(failed(() => deflated(deflater, quote(1)))).toBe("ERR_OUT_OF_MEMORY");
      expect(failed(() => inflated(inflater, new Uint8Array([0])))).toBe("ERR_OUT_OF_MEMORY");
      isFull = false;
      expect(inflated(inflater, deflated(deflater, quote(2)))).toEqual(quote(2));
      deflater.close();
      codec.close();
    });

    it("sends nothing in final blocks: Node's own WebSocket gives every message after one as empty", () => {
      const codec = new ShimCodec(shim);
      for (const takeover of [true, false]) {
        const deflater = codec.openDeflater({ windowBits: 15, takeover }, EFFORT);
        for (const message of [quote(1), new Uint8Array(100_000), new Uint8Array(0)]) {
          expect(deflated(deflater, message)[0]! & 1).toBe(0);
        }
        deflater.close();
      }
      codec.close();
    });

    it("what does not compress grows by a few bytes only", () => {
      const codec = new ShimCodec(shim);
      const deflater = codec.openDeflater({ windowBits: 8, takeover: true }, { level: 1, memoryLevel: 1 });
      const message = crypto.getRandomValues(new Uint8Array(60_000));
      expect(deflated(deflater, message).length).toBeLessThan(60_000 * 1.001 + 10);
      deflater.close();
    });
  });
}
