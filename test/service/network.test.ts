/**
 * A service whose network really breaks: in two network namespaces with a cable between them, of which the link goes down and the route
 * is lost. Needs root and the program ip; skips, and says so, without.
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { nodeProgram, Running, startProgram } from "../conformance/processes.ts";
import { NO_URING } from "../conformance/rig.ts";

const EXCHANGE = new URL("peers/exchange.mjs", import.meta.url).pathname;
const CLIENT_ADDRESS = "10.77.0.1";
const CABLE_ADDRESS = "10.77.0.2";
/** Behind the cable, so that there is a route to lose. */
const SERVER_ADDRESS = "10.78.0.1";
const PORT = 9_000;

const clientSpace = `ringwire-client-${process.pid}`;
const serverSpace = `ringwire-server-${process.pid}`;
const running: Running[] = [];

function ip(...words: string[]): void {
  execFileSync("ip", words.join(" ").split(" "), { stdio: "pipe" });
}

/** Why namespaces cannot be had; undefined when they can. */
function whyNot(): string | undefined {
  try {
    ip(`netns add ${clientSpace}`);
    ip(`netns del ${clientSpace}`);
    return undefined;
  } catch (error) {
    return `network namespaces cannot be made here: ${String(error).split("\n")[0]}`;
  }
}

const reason = whyNot();
if (reason !== undefined) console.warn(`SKIPPED: services on a network that breaks: ${reason}`);

function layCable(): void {
  for (const space of [clientSpace, serverSpace]) {
    ip(`netns add ${space}`);
    ip(`-n ${space} link set lo up`);
  }
  ip(`link add rw0 netns ${clientSpace} type veth peer name rw1 netns ${serverSpace}`);
  ip(`-n ${clientSpace} addr add ${CLIENT_ADDRESS}/24 dev rw0`);
  ip(`-n ${serverSpace} addr add ${CABLE_ADDRESS}/24 dev rw1`);
  ip(`-n ${serverSpace} addr add ${SERVER_ADDRESS}/32 dev lo`);
  ip(`-n ${clientSpace} link set rw0 up`);
  ip(`-n ${serverSpace} link set rw1 up`);
  addRoute();
}

function addRoute(): void {
  ip(`-n ${clientSpace} route add ${SERVER_ADDRESS} via ${CABLE_ADDRESS}`);
}

afterEach(async () => {
  for (const program of running.splice(0)) {
    program.kill();
    await program.end();
  }
  for (const space of [clientSpace, serverSpace]) {
    try {
      ip(`netns del ${space}`);
    } catch {
      // It was not made.
    }
  }
});

describe.skipIf(reason !== undefined)("a service on a network that breaks", () => {
  test.each(["uring", "native"])(
    "over %s comes back when link and route are there again",
    async (transport) => {
      if (transport === "uring" && NO_URING !== undefined) {
        console.warn(`SKIPPED: over io_uring: ${NO_URING}`);
        return;
      }
      layCable();
      const exchange = new Running("ip", [
        ...["netns", "exec", serverSpace, nodeProgram()],
        ...[EXCHANGE, "0.0.0.0", String(PORT)],
      ]);
      running.push(exchange);
      await exchange.see(/listening/);
      const client = startProgram(
        "../../service/programs/service_scenes.mjs",
        ["watches", transport, `ws://${SERVER_ADDRESS}:${PORT}/`],
        {},
        ["ip", "netns", "exec", clientSpace],
      );
      running.push(client);
      await client.see(/^open\n/);

      ip(`-n ${serverSpace} link set rw1 down`);
      // Nobody says anything: only the heartbeat can tell. Then nobody answers, or the kernel knows that nobody can.
      await client.see(/closed heartbeat ERR_PONG_TIMEOUT\n/);
      await client.see(/closed connect ERR_(CONNECTION_TIMEOUT|HOST_UNREACHABLE)\n/);
      ip(`-n ${serverSpace} link set rw1 up`);
      const [, durationMs] = await client.see(/gap heartbeat ERR_PONG_TIMEOUT (\d+) ms \d+ attempts\nopen\n/);
      expect(Number(durationMs)).toBeGreaterThan(100);

      const seen = client.output.length;
      ip(`-n ${clientSpace} route del ${SERVER_ADDRESS}`);
      // Bun's own sockets say of every address that they cannot connect to that it refused.
      const lost = /closed connect ERR_(HOST_UNREACHABLE|CONNECTION_REFUSED)\n/;
      while (!lost.test(client.output.slice(seen))) await client.more();
      addRoute();
      await client.see(/gap [\s\S]*gap \w+ \w+ \d+ ms \d+ attempts\nopen\n/);
    },
  );
});
