/** Two hundred endpoints on one thread, a hundred pairs of lines, against a server that does everything wrong, and is killed besides. */

import { expect, test } from "vitest";
import { Arbiter } from "../../src/feed/mod.ts";
import { type Endpoint, type GapEvent, Service } from "../../src/mod.ts";
import { nodeProgram, Running } from "../conformance/processes.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { restartPort } from "./restart_port.ts";

const PEER = new URL("peers/broken_exchange.mjs", import.meta.url).pathname;
const PAIRS = 100;
/** What has to have happened to some of them. */
const FAULTS = [
  "connect ERR_CONNECTION_REFUSED",
  "connect ERR_HANDSHAKE_TIMEOUT",
  "connect ERR_HANDSHAKE_FAILED",
  "connect ERR_HANDSHAKE_REFUSED",
  "broken ERR_CONNECTION_RESET",
  "broken ERR_PROTOCOL",
  "heartbeat ERR_PONG_TIMEOUT",
  "closed 1012",
];

/** What one endpoint went through. */
interface Life {
  readonly endpoint: Endpoint;
  readonly kinds: string[];
  /** Why it lost connections that had been open. */
  readonly losses: unknown[];
  readonly gaps: GapEvent[];
  messages: number;
}

async function startPeer(port: number, seed: number): Promise<Running> {
  const peer = new Running(nodeProgram(), [PEER, String(port), String(seed)]);
  await peer.see(/listening \d+/);
  return peer;
}

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

onEachTransport("200 endpoints", (rig) => {
  test("live through a server that does everything wrong: all come back, every gap is told, nothing is taken twice", async () => {
    const port = await restartPort();
    let peer = await startPeer(port, 11);
    rig.after(() => peer.kill());
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    const arbiter = new Arbiter({ lines: ["A", "B"] });
    const taken = new Map(Array.from({ length: PAIRS }, (_, index) => [`/${index}`, [] as number[]]));
    const lives: Life[] = [];
    const reasons = new Set<string>();
    for (let index = 0; index < 2 * PAIRS; index++) {
      const key = `/${index >> 1}`;
      const line = arbiter.lines[index & 1]!;
      const endpoint: Endpoint = service.add({
        url: `ws://127.0.0.1:${port}${key}`,
        reconnect: { initialMs: 5, maxMs: 60 },
        handshakeTimeoutMs: 400,
        websocket: {
          pingIntervalMs: 60,
          // Long enough for a busy machine: all are to be open at once in the end.
          pongTimeoutMs: 300,
          closeTimeoutMs: 60,
          error: () => undefined,
          open: () => void life.kinds.push("open"),
          message(_ws, data) {
            life.messages++;
            const [name, number] = String(data).split(" ") as [string, string];
            if (arbiter.take(line, name, Number(number), performance.now() * 1e6) !== "first") return;
            taken.get(name)!.push(Number(number));
          },
        },
        gap(event) {
          life.kinds.push("gap");
          life.gaps.push(event);
        },
        closed(reason) {
          const { kind, error, close } = reason;
          reasons.add(`${kind} ${error?.code ?? close?.code}`);
          if (close !== undefined) life.losses.push(reason);
        },
      });
      const life: Life = { endpoint, kinds: [], losses: [], gaps: [], messages: 0 };
      lives.push(life);
    }

    await pass(450);
    peer.kill();
    await peer.end();
    peer = await startPeer(port, 12);
    // As bad as it was meant to be.
    const deadlineMs = performance.now() + 30_000;
    await pass(450);
    while (!FAULTS.every((fault) => reasons.has(fault)) && performance.now() < deadlineMs) await pass(10);
    expect([...reasons]).toEqual(expect.arrayContaining(FAULTS));
    peer.child.stdin!.write("calm\n");

    const before = lives.map(({ messages }) => messages);
    const areBack = (): boolean =>
      lives.every(({ endpoint, messages }, index) => endpoint.state === "open" && messages > before[index]!);
    while (!areBack() && performance.now() < deadlineMs) await pass(10);
    expect(lives.filter(({ endpoint }) => endpoint.state !== "open").length).toBe(0);

    for (const { endpoint, kinds, losses, gaps } of lives) {
      // Every time but the first.
      expect(kinds).toEqual(["open", ...gaps.flatMap(() => ["gap", "open"])]);
      expect(gaps.map(({ reason }) => reason)).toEqual(losses);
      expect(endpoint.reconnects).toBe(gaps.length);
    }
    for (const numbers of taken.values()) {
      expect(numbers.length).toBeGreaterThan(0);
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    expect(arbiter.lines.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBeGreaterThan(PAIRS);
  });
});
