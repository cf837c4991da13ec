/** Talks with a peer that is not there: whatever goes wrong between two ends must be noticed. */

import { describe, expect, test } from "vitest";

interface Handlers {
  message(bytes: Uint8Array, isText: boolean): void;
  pong(text: string): void;
  error(code: string, error: Error): void;
  close(code: number, reason: string, wasClean: boolean): void;
}
interface Talk {
  readonly received: number;
  open(open: unknown, origin: string, options: object): Promise<Talk>;
  send(): Promise<void>;
  settled(): Promise<void>;
  ping(): void;
  ponged(): Promise<void>;
  close(): Promise<void>;
  expectCleanEnd(): void;
}
interface Sent {
  readonly bytes: Uint8Array;
  readonly isText: boolean;
}

// Plain JavaScript, because a side of the soak is Node 20; so it has no types to import.
const path = "./talk.mjs";
const { Talk } = (await import(path)) as { Talk: new (ledger: object, plan: object, name: string) => Talk };

/** Sends six messages to a peer that does with them what it likes, closes, and says what the ledger has against it. */
async function failuresOf(
  answer: (sent: readonly Sent[], on: Handlers) => void,
  end = 1000,
): Promise<string[]> {
  const failures: string[] = [];
  const ledger = { count() {}, fail: (text: string) => void failures.push(text) };
  const sent: Sent[] = [];
  let on: Handlers | undefined;
  const open = async (_url: string, options: { on: Handlers }): Promise<object> => {
    on = options.on;
    return {
      send(bytes: Uint8Array, isText: boolean) {
        sent.push({ bytes, isText });
        return "sent";
      },
      ping: (text: string) => queueMicrotask(() => on?.pong(text)),
      close: () => on?.close(end, "", end !== 1006),
    };
  };
  const talk = new Talk(
    ledger,
    { kind: "echo", seed: 5, minBytes: 50, maxBytes: 500, ends: "cleanly" },
    "test",
  );
  await talk.open(open, "ws://nowhere", {});
  for (let count = 0; count < 6; count++) await talk.send();
  talk.ping();
  await talk.ponged();
  answer(sent, on as unknown as Handlers);
  await talk.close();
  talk.expectCleanEnd();
  return failures;
}

/** Echoes in the order of these places. */
const inOrder =
  (...places: number[]) =>
  (sent: readonly Sent[], on: Handlers): void => {
    for (const place of places) on.message(sent[place].bytes, sent[place].isText);
  };

describe("a talk", () => {
  test("has nothing against an honest peer", async () => {
    expect(await failuresOf(inOrder(0, 1, 2, 3, 4, 5))).toEqual([]);
  });

  test("notices a lost message in the middle, by the one in its place", async () => {
    const failures = await failuresOf(inOrder(0, 1, 3, 4, 5));
    expect(failures[0]).toMatch(/message 2: got .*#0000000003 of .* instead of .*#0000000002 of /);
    expect(failures.at(-1)).toContain("1 of 6 messages were lost");
  });

  test("notices a lost message at the end", async () => {
    expect(await failuresOf(inOrder(0, 1, 2, 3, 4))).toEqual([
      expect.stringContaining("1 of 6 messages were lost"),
    ]);
  });

  test("notices a message that came twice", async () => {
    expect((await failuresOf(inOrder(0, 1, 1, 2, 3, 4)))[0]).toContain("message 2: got");
    expect((await failuresOf(inOrder(0, 1, 2, 3, 4, 5, 5)))[0]).toContain("that nobody sent");
  });

  test("notices two messages in the wrong order", async () => {
    expect((await failuresOf(inOrder(0, 2, 1, 3, 4, 5))).length).toBe(2);
  });

  test("notices an altered byte", async () => {
    const failures = await failuresOf((sent, on) => {
      sent[3].bytes[40] ^= 1;
      inOrder(0, 1, 2, 3, 4, 5)(sent, on);
    });
    expect(failures).toEqual([expect.stringContaining("message 3: altered at byte 40")]);
  });

  test("notices a message that changed its type", async () => {
    const failures = await failuresOf((sent, on) => {
      for (const { bytes, isText } of sent) on.message(bytes, !isText);
    });
    expect(failures[0]).toMatch(/got (text of .* instead of binary|binary of .* instead of text) of/);
  });

  test("notices pongs that answer nothing, errors, and ends that were not agreed on", async () => {
    expect(
      await failuresOf((sent, on) => {
        inOrder(0, 1, 2, 3, 4, 5)(sent, on);
        on.pong("ping 5 0");
        on.error("ERR_PROTOCOL", new Error("broken"));
      }, 1006),
    ).toEqual([
      expect.stringContaining("a pong came that answers nothing, or once too often"),
      expect.stringContaining("ERR_PROTOCOL: broken"),
      expect.stringContaining('closed with 1006 "" (unclean), not 1000'),
    ]);
  });
});
