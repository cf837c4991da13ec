import { expect, test } from "vitest";
import { MAX_LISTED, MessageList, RECORD_WORDS } from "../../src/protocol/message_list.ts";

test("a list keeps what it was given while it grows, and says when it is full", () => {
  const list = new MessageList();
  for (let index = 0; index < MAX_LISTED; index++) {
    expect(list.isFull).toBe(false);
    list.add(index, index + 1, -index, 2);
  }
  expect(list.isFull).toBe(true);
  for (let index = 0; index < MAX_LISTED; index++) {
    const at = index * RECORD_WORDS;
    expect([...list.records.subarray(at, at + RECORD_WORDS)]).toEqual([
      index,
      index + 1,
      index === 0 ? 0 : -index,
      2,
    ]);
  }
});
