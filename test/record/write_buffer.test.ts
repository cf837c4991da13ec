/** The memory between a recorder and its file: a ring against a plain list of bytes, whatever the sizes and however slow the disk. */

import { expect, test, vi } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Random } from "../../src/record/random.ts";
import { WriteBuffer } from "../../src/record/write_buffer.ts";
import type { OutputFile } from "../../src/runtime/files.ts";

/** A disk that finishes a write when it is told to. */
class SlowDisk {
  readonly content: number[] = [];
  readonly waiting: (() => void)[] = [];
  mostAtOnce = 0;
  failure: RingwireError | undefined = undefined;

  readonly file = {
    write: (piece: Uint8Array, position: number): Promise<void> =>
      new Promise((resolve, reject) => {
        this.waiting.push(() => {
          if (this.failure !== undefined) return reject(this.failure);
          expect(position).toBe(this.content.length);
          this.content.push(...piece);
          resolve();
        });
        this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting.length);
      }),
  } as OutputFile;

  async finishOne(): Promise<void> {
    this.waiting.shift()?.();
    for (let turn = 0; turn < 4; turn++) await undefined;
  }
}

function bufferBefore({ file }: SlowDisk, mostBytes: number): WriteBuffer {
  const ignore = (): void => {};
  return new WriteBuffer(file, 0, mostBytes, ignore, ignore);
}

function randomNumbers(): (below: number) => number {
  const random = new Random();
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  return (below) => {
    random.fill(bytes);
    return view.getUint32(0) % below;
  };
}

test("the file gets everything that found room, in order, one write at a time", async () => {
  const below = randomNumbers();
  for (let round = 0; round < 15; round++) {
    const disk = new SlowDisk();
    const sizeBytes = 64 + below(400);
    const buffer = bufferBefore(disk, sizeBytes);
    const expected: number[] = [];
    const flushed: { readonly bytes: number; isDone: boolean }[] = [];
    let refused = 0;
    for (let step = 0; step < 600; step++) {
      const size = 1 + below(sizeBytes >> 2);
      if (buffer.makeRoom(size)) {
        expect(buffer.used + size).toBeLessThanOrEqual(sizeBytes);
        for (let count = 0; count < size; count++) {
          const byte = below(256);
          buffer.bytes[buffer.used++] = byte;
          expected.push(byte);
        }
      } else refused++;
      expect(buffer.bufferedBytes).toBeLessThanOrEqual(sizeBytes);
      if (below(3) === 0) await disk.finishOne();
      if (below(20) === 0) {
        const flush = { bytes: expected.length, isDone: false };
        flushed.push(flush);
        buffer.flush().then(() => {
          flush.isDone = true;
          expect(disk.content.length).toBeGreaterThanOrEqual(flush.bytes);
        });
      }
    }
    const last = buffer.flush();
    while (disk.waiting.length > 0) await disk.finishOne();
    await last;
    expect(disk.content).toEqual(expected);
    expect(buffer.bufferedBytes).toBe(0);
    expect(disk.mostAtOnce).toBe(1);
    expect(flushed.every(({ isDone }) => isDone)).toBe(true);
    expect(refused).toBeGreaterThan(0);
  }
});

test("memory is taken when the file does not keep up, and not before", async () => {
  const disk = new SlowDisk();
  const buffer = bufferBefore(disk, 16_384);
  const firstBytes = buffer.bytes.length;
  const put = (sizeBytes: number): boolean => {
    if (!buffer.makeRoom(sizeBytes)) return false;
    buffer.used += sizeBytes;
    return true;
  };
  for (let round = 0; round < 100; round++) {
    expect(put(500)).toBe(true);
    buffer.flush();
    while (disk.waiting.length > 0) await disk.finishOne();
  }
  expect(buffer.bytes.length).toBe(firstBytes);
  expect(firstBytes).toBeLessThanOrEqual(1_024);
  let taken = 0;
  while (put(500)) taken += 500;
  expect(buffer.bytes.length).toBe(16_384);
  expect(taken).toBe(16_000);
});

test("where there is no memory for a larger ring, the one there is goes on", async () => {
  const disk = new SlowDisk();
  const buffer = bufferBefore(disk, 16_384);
  let refusals = 0;
  const scarce = new Proxy(Uint8Array, {
    construct(all, [sizeBytes]: [number]) {
      if (sizeBytes > 10_000) {
        refusals++;
        throw new RangeError("Array buffer allocation failed");
      }
      return new all(sizeBytes);
    },
  });
  vi.stubGlobal("Uint8Array", scarce);
  try {
    let taken = 0;
    for (; buffer.makeRoom(500); taken += 500) buffer.used += 500;
    expect(taken).toBeGreaterThan(3_000);
    expect(taken).toBeLessThan(10_000);
    for (let each = 0; each < 10; each++) expect(buffer.makeRoom(500)).toBe(false);
    expect(refusals).toBe(1);
    // By itself, without a flush: the ring is as small as it is now.
    expect(disk.waiting.length).toBe(1);
    buffer.flush();
    while (disk.waiting.length > 0) await disk.finishOne();
    expect(disk.content.length).toBe(taken);
    expect(buffer.makeRoom(500)).toBe(true);
  } finally {
    vi.unstubAllGlobals();
  }
});

test.each([true, false])(
  "what goes round the ring's end stays in order when the ring grows, on its way: %s",
  async (isOnItsWay) => {
    const disk = new SlowDisk();
    const buffer = bufferBefore(disk, 1_600);
    const expected: number[] = [];
    const put = (sizeBytes: number): void => {
      expect(buffer.makeRoom(sizeBytes)).toBe(true);
      for (let count = 0; count < sizeBytes; count++) {
        buffer.bytes[buffer.used++] = expected.length & 0xff;
        expected.push(expected.length & 0xff);
      }
    };
    const firstBytes = buffer.bytes.length;
    expect(firstBytes).toBe(100);
    put(60);
    const flushes = [buffer.flush()];
    put(30);
    await disk.finishOne();
    put(40);
    expect(buffer.used).toBe(40);
    if (isOnItsWay) flushes.push(buffer.flush());
    expect(disk.waiting.length).toBe(isOnItsWay ? 1 : 0);
    expect(buffer.bytes.length).toBe(firstBytes);
    put(50);
    expect(buffer.bytes.length).toBeGreaterThan(firstBytes);
    flushes.push(buffer.flush());
    while (disk.waiting.length > 0) await disk.finishOne();
    await Promise.all(flushes);
    expect(disk.content).toEqual(expected);
  },
);

test("a flush is done although bytes keep coming", async () => {
  const disk = new SlowDisk();
  const buffer = bufferBefore(disk, 4_096);
  buffer.used = 10;
  let isDone = false;
  buffer.flush().then(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 3 && !isDone; turn++) {
    expect(buffer.makeRoom(10)).toBe(true);
    buffer.used += 10;
    await disk.finishOne();
  }
  expect(isDone).toBe(true);
});

test("after a failure nothing finds room, nothing is written, and flushes end", async () => {
  const disk = new SlowDisk();
  const told: unknown[] = [];
  const buffer = new WriteBuffer(
    disk.file,
    0,
    4_096,
    () => {},
    (failure) => void told.push(failure),
  );
  buffer.used = 10;
  const flushes = [buffer.flush(), buffer.flush()];
  disk.failure = new RingwireError("ERR_RECORDING", "Cannot record: no space");
  await disk.finishOne();
  await Promise.all(flushes);
  expect(told).toEqual([disk.failure]);
  expect(buffer.makeRoom(1)).toBe(false);
  await buffer.flush();
  expect(disk.waiting.length).toBe(0);
});
