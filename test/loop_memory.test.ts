/** What is left of loops that nobody closes. */

import { expect, test } from "vitest";
import { Loop } from "../src/mod.ts";
import { collectGarbage } from "./process_memory.ts";

test("native loops that are dropped without close() are collected", async () => {
  const loops = Array.from({ length: 20 }, () => new WeakRef(new Loop({ transport: "native" })));
  let alive = loops.length;
  // Collectors may take a stale word on the stack for a reference: some of them have to go, not all.
  for (let round = 0; round < 50 && alive > loops.length / 2; round++) {
    // A WeakRef holds its target until the task that made it is over.
    await new Promise((resolve) => setTimeout(resolve, 1));
    collectGarbage();
    alive = loops.filter((loop) => loop.deref() !== undefined).length;
  }
  expect(alive).toBeLessThanOrEqual(loops.length / 2);
});
