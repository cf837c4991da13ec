import { expect, test } from "vitest";
import { Spares } from "../../src/websocket/spares.ts";

test("spares lend what was given back, make what is missing, and keep a few only", () => {
  let made = 0;
  const spares = new Spares(() => ({ number: made++ }));
  const first = spares.take();
  const second = spares.take();
  expect([first.number, second.number]).toEqual([0, 1]);
  spares.give(first);
  expect(spares.take()).toBe(first);
  const burst = Array.from({ length: 100 }, () => spares.take());
  for (const each of burst) spares.give(each);
  const before = made;
  for (let count = 0; count < 100; count++) spares.take();
  expect(made - before).toBeGreaterThan(80);
});
