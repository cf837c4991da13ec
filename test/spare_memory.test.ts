import { describe, expect, test } from "vitest";
import { SpareMemory } from "../src/spare_memory.ts";
import { TimerWheel } from "../src/timer_wheel.ts";

const KIB = 1024;
const MIB = KIB * KIB;

/** Spare memory under a clock of its own. */
class Fixture {
  readonly wheel: TimerWheel = new TimerWheel(0, () => undefined);
  readonly memory: SpareMemory = new SpareMemory(this.wheel, () => this.nowMs);
  nowMs = 0;

  pass(ms: number): void {
    this.nowMs += ms;
    this.wheel.advance(this.nowMs);
  }
}

describe("spare memory", () => {
  test("lends the same buffer again, the one that came back last first, and no buffer twice", () => {
    const { memory } = new Fixture();
    const [first, second] = [memory.take(100 * KIB), memory.take(100 * KIB)];
    expect(first).not.toBe(second);
    memory.give(first);
    memory.give(second);
    expect(memory.spareBytes).toBe(200 * KIB);
    expect(memory.take(90 * KIB)).toBe(second);
    expect(memory.take(90 * KIB)).toBe(first);
    expect(memory.spareBytes).toBe(0);
    expect([first, second]).not.toContain(memory.take(90 * KIB));
  });

  test("lends none that is too small, or more than four times as large as asked for", () => {
    const { memory } = new Fixture();
    const spare = memory.take(400 * KIB);
    memory.give(spare);
    expect(memory.take(400 * KIB + 1)).toHaveLength(400 * KIB + 1);
    expect(memory.take(100 * KIB - 1)).toHaveLength(100 * KIB - 1);
    expect(memory.take(100 * KIB)).toBe(spare);
  });

  test("keeps 4 MiB, and of that what was used last", () => {
    const { memory } = new Fixture();
    const buffers = Array.from({ length: 6 }, () => memory.take(MIB));
    for (const buffer of buffers) memory.give(buffer);
    expect(memory.spareBytes).toBe(4 * MIB);
    memory.give(new Uint8Array(4 * MIB + 1));
    expect(memory.spareBytes).toBe(4 * MIB);
    for (const buffer of buffers.slice(2).reverse()) expect(memory.take(MIB)).toBe(buffer);
    expect(memory.spareBytes).toBe(0);
  });

  test("lets everything go that was not used for two seconds, and waits for nothing then", () => {
    const fixture = new Fixture();
    const { memory, wheel } = fixture;
    memory.give(new Uint8Array(MIB));
    for (let second = 0; second < 5; second++) {
      fixture.pass(900);
      memory.give(memory.take(MIB));
    }
    expect(memory.spareBytes).toBe(MIB);
    expect(wheel.count).toBe(1);
    fixture.pass(1_200);
    fixture.pass(1_200);
    expect(memory.spareBytes).toBe(0);
    expect(wheel.count).toBe(0);
    memory.give(new Uint8Array(MIB));
    expect(wheel.count).toBe(1);
  });

  test("keeps nothing behind the end of its loop", () => {
    const { memory, wheel } = new Fixture();
    memory.give(new Uint8Array(MIB));
    wheel.close();
    expect(memory.spareBytes).toBe(0);
  });

  test("does not take back memory that a program has given away", () => {
    const { memory } = new Fixture();
    const buffer = memory.take(MIB);
    structuredClone(buffer, { transfer: [buffer.buffer] });
    memory.give(buffer);
    expect(memory.spareBytes).toBe(0);
    expect(memory.take(MIB)).toHaveLength(MIB);
  });
});
