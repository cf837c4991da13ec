import { expect, test } from "vitest";
import { ChunkQueue } from "../../src/stream/chunk_queue.ts";

test("chunks leave in the order in which they came, and what is held is counted", () => {
  const queue = new ChunkQueue();
  const seen: number[] = [];
  let pushed = 0;
  for (let round = 0; round < 1_000; round++) {
    for (let burst = 0; burst < 5; burst++) queue.push(Uint8Array.of(pushed++ & 0xff));
    for (let burst = 0; burst < 4; burst++) seen.push(queue.shift()![0]!);
  }
  expect([queue.count, queue.heldBytes]).toEqual([1_000, 65_000]);
  while (queue.count > 0) seen.push(queue.shift()![0]!);
  expect(seen).toEqual(Array.from({ length: 5_000 }, (_, index) => index & 0xff));
  expect([queue.shift(), queue.heldBytes]).toEqual([undefined, 0]);
});

test("nothing is left after clear", () => {
  const queue = new ChunkQueue();
  queue.push(new Uint8Array(9));
  queue.clear();
  expect([queue.count, queue.heldBytes, queue.shift()]).toEqual([0, 0, undefined]);
});
