/** The queue behind a connection that is not read from. */

import { expect, test } from "vitest";
import { SendQueue } from "../../src/native/send_queue.ts";

test("a queue gives back what was appended, in order, whatever the sizes", () => {
  const queue = new SendQueue();
  const expected: number[] = [];
  const taken: number[] = [];
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 400; round++) {
    const bytes = new Uint8Array(random(3_000)).map(() => random(256));
    const start = random(bytes.length + 1);
    queue.append(bytes, start, bytes.length);
    expected.push(...bytes.subarray(start));
    for (let takes = random(3); takes > 0 && queue.bytes > 0; takes--) {
      const count = 1 + random(queue.frontEnd - queue.frontStart);
      taken.push(...queue.front.subarray(queue.frontStart, queue.frontStart + count));
      queue.consume(count);
    }
    expect(queue.bytes).toBe(expected.length - taken.length);
  }
  while (queue.bytes > 0) {
    taken.push(...queue.front.subarray(queue.frontStart, queue.frontEnd));
    queue.consume(queue.frontEnd - queue.frontStart);
  }
  expect(taken).toEqual(expected);
});

test("a few bytes take a small chunk, and an empty queue none", () => {
  const queue = new SendQueue();
  queue.append(new Uint8Array(10), 0, 10);
  expect(queue.front.length).toBeLessThanOrEqual(4_096);
  queue.consume(10);
  expect(queue.bytes).toBe(0);
  expect(queue.front).toBeUndefined();
});
