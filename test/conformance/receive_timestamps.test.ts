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

/** By `batch` and by `for await`: how long after it was sent a message says that it came, while the program was busy; milliseconds. */
async function agesMs(rig: Rig, loop: LoopOptions, isSecure: boolean): Promise<number[]> {
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
  const sentNs = accepted.map((ws) => {
    // Corked: it leaves now, and not when we are no longer busy.
    ws.cork(() => ws.send("x"));
    return nowNs();
  });
  while (nowNs() < sentNs[1] + BUSY_MS * 1e6);
  const queued = (await queueing[Symbol.asyncIterator]().next()).value as Message;
  return [(await batchedNs) - sentNs[0], queued.receivedNs - sentNs[1]].map((ns) => ns / 1e6);
}

onEachTransport("receive timestamps", (rig) => {
  test("tell when the read was handled, unless asked for more", async () => {
    for (const ageMs of await agesMs(rig, {}, false)) expect(ageMs).toBeGreaterThanOrEqual(BUSY_MS - 1);
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
      for (const ageMs of await agesMs(rig, KERNEL, isSecure)) {
        // Received at once, and not before it was sent, up to how long our look at the clock was interrupted.
        expect(ageMs).toBeGreaterThan(-10);
        expect(ageMs).toBeLessThan(BUSY_MS / 2);
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
