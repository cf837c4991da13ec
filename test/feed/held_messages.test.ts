/** Messages that wait, by rising number. */
import { expect, test } from "vitest";
import { HeldMessages } from "../../src/feed/held_messages.ts";

function held(...sequences: number[]): HeldMessages<string> {
  const messages = new HeldMessages<string>();
  for (const sequence of sequences) {
    messages.add({ previous: sequence - 1, sequence, message: String(sequence), receivedNs: 0 });
  }
  return messages;
}

function drain(messages: HeldMessages<string>): number[] {
  const sequences: number[] = [];
  for (let { first } = messages; first !== undefined; { first } = messages) {
    sequences.push(first.sequence);
    messages.removeFirst();
  }
  return sequences;
}

test("held messages come out by rising number, each once", () => {
  expect(drain(held(3, 1, 2, 2, 5, 4, 1))).toEqual([1, 2, 3, 4, 5]);
});

test("held messages are dropped up to a number", () => {
  const messages = held(1, 2, 3, 4);
  messages.dropUntil(2);
  expect(messages.count).toBe(2);
  messages.dropUntil(9);
  expect([messages.count, messages.first]).toEqual([0, undefined]);
});

test("held messages stay in order when many come and go", () => {
  const messages = held();
  const out: number[] = [];
  for (let sequence = 0; sequence < 10_000; sequence++) {
    messages.add({ previous: sequence - 1, sequence, message: "", receivedNs: 0 });
    if (sequence % 3 !== 0) {
      out.push((messages.first as { sequence: number }).sequence);
      messages.removeFirst();
    }
  }
  expect([...out, ...drain(messages)]).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
});
