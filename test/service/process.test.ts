/** Services against servers in processes of their own, and services as processes of their own. */

import process from "node:process";
import { expect, test } from "vitest";
import { Service } from "../../src/mod.ts";
import { nodeProgram, Running, startProgram } from "../conformance/processes.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { EndpointJournal } from "./journal.ts";
import { restartPort } from "./restart_port.ts";

const EXCHANGE = new URL("peers/exchange.mjs", import.meta.url).pathname;
const ENDPOINTS = 200;

async function startExchange(port: number): Promise<Running> {
  const exchange = new Running(nodeProgram(), [EXCHANGE, "127.0.0.1", String(port)]);
  await exchange.see(/listening \d+/);
  return exchange;
}

onEachTransport("a service", (rig) => {
  test("brings 200 endpoints back to a server that is killed, and to one that is frozen", async () => {
    const port = await restartPort();
    let exchange = await startExchange(port);
    rig.after(() => exchange.kill());
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    const journals = Array.from({ length: ENDPOINTS }, () => new EndpointJournal());
    for (const journal of journals) {
      service.add(
        journal.options(`ws://127.0.0.1:${port}/`, {
          reconnect: { initialMs: 20, maxMs: 200 },
          // Long enough for a busy machine: who fails before the kill fails too early.
          handshakeTimeoutMs: 1_500,
          websocket: { pingIntervalMs: 150, pongTimeoutMs: 1_000 },
        }),
      );
    }
    const all = (kind: "open" | "closed" | "gap", count: number): Promise<unknown> =>
      Promise.all(journals.map((journal) => journal.see(kind, count)));
    await all("open", 1);

    exchange.kill();
    await all("closed", 1);
    await exchange.end();
    for (const { reasons } of journals) expect(["broken", "closed"]).toContain(reasons[0]!.kind);
    exchange = await startExchange(port);
    await all("open", 2);
    for (const journal of journals) {
      expect(journal.gaps.length).toBe(1);
      expect(journal.gaps[0]!.reason).toBe(journal.reasons[0]);
      const failed = journal.reasons.slice(1);
      expect(failed.every(({ kind }) => kind === "connect")).toBe(true);
      expect(journal.gaps[0]!.attempts).toBe(failed.length + 1);
    }

    // Its kernel still takes connections, and says nothing.
    const before = journals.map((journal) => journal.reasons.length);
    process.kill(exchange.child.pid!, "SIGSTOP");
    await Promise.all(
      journals.map((journal, index) =>
        journal.until("the frozen server is left", () => journal.reasons.length > before[index]!),
      ),
    );
    for (const [index, { reasons }] of journals.entries()) {
      expect(reasons[before[index]!]).toMatchObject({
        kind: "heartbeat",
        error: { code: "ERR_PONG_TIMEOUT" },
      });
    }
    await journals[0]!.until("an attempt has failed", () => journals[0]!.reasons.length > before[0]! + 1);
    expect(journals[0]!.reasons.at(-1)).toMatchObject({
      kind: "connect",
      error: { code: "ERR_HANDSHAKE_TIMEOUT" },
    });
    process.kill(exchange.child.pid!, "SIGCONT");
    await all("gap", 2);
    await all("open", 3);
    expect([...service].every((endpoint) => endpoint.reconnects >= 2)).toBe(true);
  });

  const nobody = "ws://127.0.0.1:1/";

  test("keeps its process alive while an endpoint waits for its next attempt", async () => {
    const running = startProgram("../../service/programs/service_scenes.mjs", ["waits", rig.kind, nobody]);
    await running.see(/connect ERR_CONNECTION_REFUSED/);
    expect((await running.end(700)).code).toBeNull();
  });

  test.each([
    ["every endpoint has stopped", "stops", "waiting\nwaiting\nstopped\n"],
    ["it is closed", "closes", "connect\nremoved\n"],
    ["its loop is closed under it", "loses", "connect waiting\nlocal stopped\n"],
    ["a pool has been waited for in vain", "acquires", "ERR_ACQUIRE_TIMEOUT\n"],
    ["permits have been waited for", "takes", "taken\n"],
  ])("lets its process end when %s", async (_name, scene, output) => {
    const running = startProgram("../../service/programs/service_scenes.mjs", [scene, rig.kind, nobody]);
    expect(await running.end()).toEqual({ code: 0, output });
  });
});
