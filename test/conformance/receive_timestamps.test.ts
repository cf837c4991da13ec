/** `receiveTimestamps: "kernel"`: messages say when the kernel received them, however late the program looks. */

import { afterAll, expect, test } from "vitest";
import { Loop, type LoopOptions, type Message, type ServeOptions, type Socket } from "../../src/mod.ts";
import { NO_OPENSSL } from "../tls/authority.mjs";
import { onEachTransport, type Rig } from "./rig.ts";
import { authority, clientTls, serverTls } from "./secure.ts";

/** How long the program is busy with something else. */
const BUSY_MS = 60;
const KERNEL: LoopOptions = { receiveTimestamps: "kernel" };

const nowNs = (): number => performance.now() * 1e6;

afterAll(() => {
  if (NO_OPENSSL === undefined) authority().remove();
});

/** A message to a busy program: since before and since after it was sent, when it says that it came; milliseconds. */
interface Age {
  readonly sinceBeforeMs: number;
  readonly sinceAfterMs: number;
}

/** One by `batch` and one by `for await`. */
async function agesOf(rig: Rig, loop: LoopOptions, isSecure: boolean): Promise<Age[]> {
  const accepted: Socket[] = [];
  const server = await rig.serve({
    ...((isSecure ? { tls: serverTls() } : {}) as Partial<ServeOptions<undefined>>),
    websocket: { open: (ws) => void accepted.push(ws) },
  });
  const options = { loop: rig.newLoop(loop), ...(isSecure ? { tls: clientTls() } : {}) };
  let batched: (ns: number) => void = () => {};
  const batchedNs = new Promise<number>((resolve) => {
    batched = resolve;
  });
  await rig.connect(server, {
    ...options,
    websocket: { batch: (_ws, messages) => batched(messages.receivedNs) },
  });
  const queueing = await rig.connect(server, options);
  while (accepted.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const sent = accepted.map((ws) => {
    const beforeNs = nowNs();
    // Corked: it leaves now, and not when we are no longer busy.
    ws.cork(() => ws.send("x"));
    return { beforeNs, afterNs: nowNs() };
  });
  while (nowNs() < sent[1].afterNs + BUSY_MS * 1e6);
  const queued = (await queueing[Symbol.asyncIterator]().next()).value as Message;
  const receivedNs = [await batchedNs, queued.receivedNs];
  return sent.map(({ beforeNs, afterNs }, index) => ({
    sinceBeforeMs: (receivedNs[index] - beforeNs) / 1e6,
    sinceAfterMs: (receivedNs[index] - afterNs) / 1e6,
  }));
}

onEachTransport("receive timestamps", (rig) => {
  test("tell when the read was handled, unless asked for more", async () => {
    for (const { sinceAfterMs } of await agesOf(rig, {}, false))
      expect(sinceAfterMs).toBeGreaterThanOrEqual(BUSY_MS - 1);
  });

  test("of the kernel tell when it received, or are refused", async () => {
    if (rig.kind === "native") {
      expect(() => rig.newLoop(KERNEL)).toThrow(
        expect.objectContaining({
          code: "ERR_UNSUPPORTED",
          message: expect.stringContaining("which only io_uring gives"),
        }),
      );
      return;
    }
    for (const isSecure of NO_OPENSSL === undefined ? [false, true] : [false]) {
      // Where others begin and end to ask for stamps, the kernel leaves one out now and then: that message says when it was handled.
      for (let hasBoth = false, round = 0; !hasBoth; round++) {
        const ages = await agesOf(rig, KERNEL, isSecure);
        // Not before it was sent, but for how exactly the two clocks are known.
        for (const { sinceBeforeMs } of ages) expect(sinceBeforeMs).toBeGreaterThan(-10);
        hasBoth = ages.every(({ sinceAfterMs }) => sinceAfterMs < BUSY_MS / 2);
        expect(hasBoth || round < 9).toBe(true);
      }
    }
  });

  test("of the kernel are the program's clock where there are none: on a Unix socket", async () => {
    if (rig.kind === "native") return;
    const loop = rig.newLoop(KERNEL);
    const path = `/tmp/ringwire-stamps-${rig.loop.stats.turns}-${Date.now()}.sock`;
    const server = await rig.serve({ unix: path, websocket: { open: (ws) => void ws.send("x") } });
    const socket = await rig.connect(server, { loop });
    const beforeNs = nowNs();
    const { value } = await socket[Symbol.asyncIterator]().next();
    expect((value as Message).receivedNs).toBeGreaterThan(beforeNs - 10e9);
    expect((value as Message).receivedNs).toBeLessThanOrEqual(nowNs());
  });

  test("of the kernel exclude kernel TLS", async () => {
    if (rig.kind === "native") return;
    const loop = rig.newLoop(KERNEL);
    await expect(
      rig.connect("wss://127.0.0.1:9/", { loop, tls: { rejectUnauthorized: true, ktls: true } }),
    ).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});

test("a loop refuses another origin of receive timestamps", () => {
  expect(() => new Loop({ receiveTimestamps: "hardware" as never })).toThrow(
    'Option "receiveTimestamps" must be one of "handled", "kernel"',
  );
});
