/** A few seconds of `npm run soak`, and proof that it finds what it looks for. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { nodeProgram } from "../conformance/processes.ts";
import { NO_URING } from "../conformance/rig.ts";
import { NO_OPENSSL } from "../tls/authority.mjs";

interface Report {
  readonly runs: readonly {
    readonly failures: readonly string[];
    readonly members: readonly { readonly name: string; readonly counts: Readonly<Record<string, number>> }[];
  }[];
}

const script = fileURLToPath(new URL("../../scripts/soak.mjs", import.meta.url));
const transports = NO_URING === undefined ? "both" : "native";
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ringwire-soak-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs it, and reads what it leaves behind. */
function soak(seconds: number, words: readonly string[]): { code: number; report: Report } {
  const all = [script, "--minutes", `${seconds / 60}`, "--runtime", runtime.name, "--transport", transports];
  let code = 0;
  try {
    // The suite may run under a runtime that has put itself in front of Node: the script looks for it by itself.
    execFileSync(nodeProgram(), [...all, "--report", folder, "--rests", "2", "--seed", "11", ...words], {
      stdio: "pipe",
      env: { ...process.env, NODE_OPTIONS: "" },
      timeout: 50_000,
    });
  } catch (error) {
    code = (error as { status: number }).status;
  }
  return { code, report: JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as Report };
}

test("five seconds of a soak lose nothing, alter nothing and leave nothing behind", {
  timeout: 60_000,
}, () => {
  const { code, report } = soak(5, ["--cpu", "60"]);
  expect(report.runs[0].failures).toEqual([]);
  expect(code).toBe(0);
  const [server, client, wsClient] = report.runs[0].members;
  // It did what it says: both kinds of clients, and aborts among what the server saw.
  expect(server.counts["messages received"]).toBeGreaterThan(100);
  expect(server.counts["closed 1006"]).toBeGreaterThan(0);
  expect(client.counts["messages verified"]).toBeGreaterThan(100);
  expect(wsClient.counts["messages verified"]).toBeGreaterThan(100);
  if (NO_OPENSSL !== undefined) return;
  expect(client.counts["TLS connections, TLSv1.3"]).toBeGreaterThan(10);
  expect(wsClient.counts["TLS connections, TLSv1.3"]).toBeGreaterThan(5);
  expect(server.counts["certificates changed"]).toBeGreaterThan(0);
});

// The judges are the same on all runtimes, and talk.test.ts has each kind of loss: two are enough to see the whole work.
describe.skipIf(runtime.name !== "node")("a soak finds a server that", () => {
  const faults = [
    ["alters a byte", "alter", /altered at byte 60/],
    ["leaks descriptors", "descriptors", /descriptors grow/],
  ] as const;
  for (const [what, fault, pattern] of faults) {
    test(what, { timeout: 60_000 }, () => {
      const { code, report } = soak(3, ["--cpu", "60", "--sabotage", fault, "--lives", "echo"]);
      expect(report.runs[0].failures.join("\n")).toMatch(pattern);
      expect(code).toBe(1);
    });
  }
});
