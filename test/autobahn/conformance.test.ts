/**
 * Autobahn's cases against an echo server and an echo client of ours. Runs with group 9 at a sixteenth of its size; at
 * full size, for some cases only, and with a report when scripts/conformance.mjs asks for it.
 */

import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Loop } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { NO_URING } from "../conformance/rig.ts";
import { type Case, caseList } from "./case_list.ts";
import { DELIVERIES, type Delivery, type Echo, ROLES, type Role, startEcho } from "./echo.ts";
import { judge } from "./judge.ts";
import { type Result, writeReport } from "./report.ts";
import type { Script } from "./script.ts";

const folder: string | undefined = process.env.RINGWIRE_CONFORMANCE_REPORT;
const isFull: boolean = folder !== undefined;
const asked: readonly string[] | undefined = process.env.RINGWIRE_CONFORMANCE_CASES?.split(",");
const transports: readonly string[] = (process.env.RINGWIRE_CONFORMANCE_TRANSPORT ?? "uring,native").split(
  ",",
);

/** Autobahn waits for a second. A tenth shows the same: what must not happen, does not happen at once either. */
const WAIT_MS = isFull ? 1_000 : 50;
const CASE_TIMEOUT_MS = 120_000;
const GONE_TIMEOUT_MS = 10_000;

const cases: readonly Case[] = caseList(isFull).filter(({ id }) => asked?.includes(id) ?? true);

async function run(echo: Echo, id: string, script: Script): Promise<Result> {
  const startMs = performance.now();
  const { peer, gone } = await echo.meet();
  const outcome = await peer.play(script, WAIT_MS);
  const verdict = judge(script, outcome);
  const durationMs = Math.round(performance.now() - startMs);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error("The echo's side of the connection is not gone")),
      GONE_TIMEOUT_MS,
    );
  });
  await Promise.race([gone, tooLate]).finally(() => clearTimeout(timer));
  return { id, ...verdict, durationMs, closeCode: outcome.closeCode ?? null };
}

function suite(transport: "uring" | "native", role: Role, delivery: Delivery): void {
  const results: Result[] = [];
  let loop: Loop;
  let echo: Echo;
  beforeAll(async () => {
    loop = new Loop({ transport });
    echo = await startEcho(loop, role, delivery);
  });
  afterAll(async () => {
    await echo.close();
    loop.close();
    if (folder !== undefined)
      writeReport(folder, { runtime: runtime.name, transport, role, delivery, results });
  });
  for (const entry of cases) {
    const { id, script: makeScript } = entry;
    if (makeScript === undefined) continue;
    test(
      `${id} ${entry.description}`,
      async () => {
        const script = makeScript();
        const result = await run(echo, id, script).catch(
          (error: unknown): Result => ({
            id,
            behaviour: "FAILED",
            behaviourClose: "FAILED",
            remark: error instanceof Error ? error.message : String(error),
            durationMs: 0,
            closeCode: null,
          }),
        );
        results.push(result);
        expect(result, result.remark).toMatchObject(
          script.isInformational === true
            ? { behaviour: "INFORMATIONAL", behaviourClose: "INFORMATIONAL" }
            : { behaviour: "OK", behaviourClose: "OK" },
        );
      },
      CASE_TIMEOUT_MS,
    );
  }
}

for (const transport of ["uring", "native"] as const) {
  if (!transports.includes(transport)) continue;
  for (const role of ROLES) {
    for (const delivery of DELIVERIES) {
      const isMissing = transport === "uring" && NO_URING !== undefined;
      describe.skipIf(isMissing)(`${role} over ${transport}, ${delivery}`, () =>
        suite(transport, role, delivery),
      );
    }
  }
}
