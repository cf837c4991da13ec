/** Reading recordings, whole and broken: every damage is named, everything else is still read, and nothing hangs or crashes. */

import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Loop } from "../../src/mod.ts";
import { Recorder, Recording, Replay } from "../../src/record/mod.ts";
import { HEADER_BYTES, KIND_IN, KIND_OUT, MAGIC } from "../../src/record/record_format.ts";
import { RecordWriter, type Tap } from "../../src/record/record_writer.ts";
import { scratchPath } from "./scratch.ts";

const SESSION = 1;
const OPEN = 1;

function fail(error: unknown): never {
  throw error;
}

/** A file with a session, a connection, and `count` reads of 100 bytes each. */
async function write(path: string, count: number): Promise<void> {
  const writer = new RecordWriter(path, 1 << 20, 1, fail);
  const tap = writer.open({ role: "client", url: "ws://feed.example/" }, 1_000);
  for (let index = 0; index < count; index++) {
    writer.received(tap, 2_000 + index, new Uint8Array(100).fill(index), 0, 100);
  }
  await writer.finish();
}

/** The first byte of each read, and the problems. */
function read(path: string): { firsts: number[]; problems: Recording["problems"]; records: number } {
  using recording = new Recording(path);
  const firsts: number[] = [];
  let records = 0;
  for (const { kind, payload } of recording) {
    records++;
    if (kind === "in") firsts.push(payload[0]);
  }
  expect(recording.next()).toBeUndefined();
  return { firsts, problems: recording.problems, records };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test("what was written is read: kinds, connections, times, payloads and facts", async () => {
  const path = scratchPath();
  await write(path, 3);
  using recording = new Recording(path);
  const entries = [...recording].map(({ kind, connection, timeNs, payload }) => [
    kind,
    connection,
    timeNs,
    payload.length,
  ]);
  expect(entries.slice(1)).toEqual([
    ["open", 1, 1_000, 44],
    ["in", 1, 2_000, 100],
    ["in", 1, 2_001, 100],
    ["in", 1, 2_002, 100],
  ]);
  expect(entries[0][0]).toBe("session");
  using again = new Recording(path);
  expect(again.next()?.facts()).toMatchObject({
    wallMs: expect.any(Number),
    monotonicNs: expect.any(Number),
  });
  expect(again.next()?.facts()).toEqual({ role: "client", url: "ws://feed.example/" });
  expect(again.next()?.facts()).toEqual({});
  expect(statSync(path).mode & 0o077).toBe(0);
});

test("every cut at the end is a torn tail, and everything before it is read", async () => {
  const path = scratchPath();
  await write(path, 3);
  const whole = readFileSync(path);
  for (let cut = 1; cut < 2 * (HEADER_BYTES + 100); cut++) {
    writeFileSync(path, whole.subarray(0, whole.length - cut));
    const { firsts, problems } = read(path);
    const left = 3 - Math.ceil(cut / (HEADER_BYTES + 100));
    expect(firsts).toEqual(upTo(left));
    const offset = whole.length - (3 - left) * (HEADER_BYTES + 100);
    const sizeBytes = whole.length - cut - offset;
    expect(problems).toEqual(sizeBytes === 0 ? [] : [{ kind: "torn", offset, sizeBytes }]);
  }
});

test("a flipped bit in the middle costs one record, and is reported with its offset", async () => {
  const path = scratchPath();
  await write(path, 5);
  const whole = readFileSync(path);
  const size = HEADER_BYTES + 100;
  const offset = whole.length - 3 * size;
  for (let byte = 0; byte < size; byte++) {
    const broken = Uint8Array.from(whole);
    broken[offset + byte] ^= 1 << (byte % 8);
    writeFileSync(path, broken);
    expect(read(path)).toMatchObject({
      firsts: [0, 1, 3, 4],
      problems: [{ kind: "corrupt", offset, sizeBytes: size }],
    });
  }
});

test("bytes that do not belong there are skipped", async () => {
  const path = scratchPath();
  await write(path, 2);
  const whole = readFileSync(path);
  const at = whole.length - HEADER_BYTES - 100;
  writeFileSync(path, whole.subarray(0, at));
  appendFileSync(path, new Uint8Array(5_000_000));
  appendFileSync(path, whole.subarray(at));
  expect(read(path)).toMatchObject({
    firsts: [0, 1],
    problems: [{ kind: "corrupt", offset: at, sizeBytes: 5_000_000 }],
  });
});

test("what is no recording is refused, and so is a version that is not ours", () => {
  const path = scratchPath();
  for (const bytes of ["", "no", "something else entirely", MAGIC.subarray(0, 7)]) {
    writeFileSync(path, bytes);
    expect(() => new Recording(path)).toThrow(/no recording of Ringwire/);
  }
  writeFileSync(
    path,
    [...MAGIC.subarray(0, 7), 9].map((byte) => String.fromCharCode(byte)).join(""),
    "latin1",
  );
  expect(() => new Recording(path)).toThrow(/its version is 9, ours 1/);
  expect(() => new Recording(`${path}/none`)).toThrow(RingwireError);
  writeFileSync(path, "precious");
  expect(() => new Recorder(path)).toThrow(/no recording of Ringwire/);
  expect(readFileSync(path, "utf8")).toBe("precious");
});

test("a recorder goes on with a file that a crash has torn", async () => {
  const path = scratchPath();
  await write(path, 3);
  truncateSync(path, statSync(path).size - 7);
  await write(path, 2);
  const { firsts, problems, records } = read(path);
  expect({ firsts, problems }).toEqual({ firsts: [0, 1, 0, 1], problems: [] });
  expect(records).toBe(2 * (SESSION + OPEN) + 4);
  using recording = new Recording(path);
  const opened = [...recording].filter(({ kind }) => kind === "open").map(({ connection }) => connection);
  expect(opened).toEqual([1, 2]);
});

test("commits of one turn grow one record, anything in between ends it", async () => {
  const path = scratchPath();
  const writer = new RecordWriter(path, 1 << 20, 1, fail);
  const [one, two]: Tap[] = [writer.open({}, 1), writer.open({}, 1)];
  const send = (tap: Tap, text: string): boolean =>
    writer.sent(tap, () => 5, new TextEncoder().encode(`..${text}`), 2, 2 + text.length);
  expect([send(one, "a"), send(one, "b"), send(two, "c"), send(one, "d")]).toEqual([true, false, true, true]);
  writer.endRun();
  send(one, "e");
  writer.received(one, 6, new Uint8Array(1), 0, 1);
  send(one, "x".repeat(300_000));
  await writer.finish();
  using recording = new Recording(path);
  const sent = [...recording]
    .filter(({ kind }) => kind === "out")
    .map(({ connection, payload }) => [connection, payload.length]);
  expect(sent.slice(0, 4)).toEqual([
    [1, 2],
    [2, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(sent.slice(4).reduce((sum, [, length]) => sum + length, 0)).toBe(300_000);
});

test("random damage never crashes, never hangs, and every problem lies in the file", async () => {
  const path = scratchPath();
  await write(path, 20);
  const whole = readFileSync(path);
  const damage = fc.array(
    fc.record({
      at: fc.nat(whole.length - 1),
      length: fc.integer({ min: 1, max: 200 }),
      how: fc.constantFrom("flip", "cut", "insert", "repeat"),
      byte: fc.integer({ min: 0, max: 255 }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(damage, async (steps) => {
      let bytes = Uint8Array.from(whole);
      for (const { at, length, how, byte } of steps) {
        const from = Math.min(at, bytes.length);
        const piece = bytes.slice(from, from + length);
        if (how === "flip") bytes.fill(byte, from, from + length);
        else if (how === "cut")
          bytes = Uint8Array.from([...bytes.subarray(0, from), ...bytes.subarray(from + length)]);
        else {
          const added = how === "insert" ? new Uint8Array(length).fill(byte) : piece;
          bytes = Uint8Array.from([...bytes.subarray(0, from), ...added, ...bytes.subarray(from)]);
        }
      }
      writeFileSync(path, bytes);
      try {
        const { problems } = read(path);
        for (const { offset, sizeBytes } of problems)
          expect(offset + sizeBytes).toBeLessThanOrEqual(bytes.length);
        const replay = new Replay(path, { waitMs: 0 });
        using loop = new Loop({ transport: replay, drive: "manual" });
        expect(loop.poll()).toBe(0);
      } catch (error) {
        if (!(error instanceof RingwireError)) throw error;
        expect(error.code).toBe("ERR_RECORDING");
      }
    }),
    { numRuns: 200, seed: 20_260_728 },
  );
});

test("kinds of the wire keep their numbers", () => {
  expect([KIND_IN, KIND_OUT, HEADER_BYTES]).toEqual([3, 4, 28]);
});
