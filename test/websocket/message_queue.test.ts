import { describe, expect, test } from "vitest";
import { Message } from "../../src/websocket/message.ts";
import { MessageQueue } from "../../src/websocket/message_queue.ts";
import { seeded } from "../protocol/frames.ts";

describe("message queue", () => {
  test("gives messages in the order they came, under any mix of pushes and shifts", () => {
    const random = seeded(5);
    const queue = new MessageQueue();
    let pushed = 0;
    let shifted = 0;
    for (let step = 0; step < 20_000; step++) {
      if (random() < 0.52) queue.push(new Message(String(pushed++), true, 0));
      else {
        const message = queue.shift();
        expect(message?.text()).toBe(shifted < pushed ? String(shifted++) : undefined);
      }
      expect(queue.count).toBe(pushed - shifted);
    }
  });

  test("counts what it holds, with something for each small message, and ends at zero", () => {
    const queue = new MessageQueue();
    queue.push(new Message("ab", true, 0));
    const one = queue.heldBytes;
    expect(one).toBeGreaterThan(4);
    queue.push(new Message(new Uint8Array(1_000), false, 0));
    expect(queue.heldBytes).toBe(one - 4 + one + 1_000);
    for (let count = 0; count < 1_000; count++) queue.push(new Message(new Uint8Array(0), false, 0));
    expect(queue.heldBytes).toBeGreaterThan(10_000);
    while (queue.shift() !== undefined);
    expect([queue.heldBytes, queue.count]).toEqual([0, 0]);
  });
});
