import { expect, it } from "vitest";
import { OutputArena } from "../../src/protocol/output_arena.ts";

it("takes no memory before it is asked for room", () => {
  expect(new OutputArena().bytes.length).toBe(0);
});

it("gives the same memory to every read", () => {
  const arena = new OutputArena();
  arena.room();
  const { bytes } = arena;
  for (let read = 0; read < 100; read++) {
    arena.rewind();
    expect(arena.room()).toBe(16_384);
    arena.used += 3_000;
  }
  expect(arena.bytes).toBe(bytes);
});

it("begins another one in the middle of a read, and leaves alone what was put into the first", () => {
  const arena = new OutputArena();
  const found: Uint8Array[] = [];
  for (let message = 0; message < 200; message++) {
    expect(arena.room()).toBeGreaterThanOrEqual(1_000);
    arena.bytes.fill(message, arena.used, arena.used + 1_000);
    found.push(arena.bytes.subarray(arena.used, arena.used + 1_000));
    arena.used += 1_000;
  }
  for (const [message, bytes] of found.entries()) {
    expect(bytes.every((byte) => byte === message)).toBe(true);
  }
});
