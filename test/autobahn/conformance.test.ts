/**
 * Autobahn's cases against an echo server and an echo client of ours. Runs with groups 9, 12 and 13 much reduced; at
 * full size, for some cases only, against ws instead, and with a report when scripts/conformance.mjs asks for it.
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
const isOfWs: boolean = process.env.RINGWIRE_CONFORMANCE_SUBJECT === "ws";
const transports: readonly string[] = (process.env.RINGWIRE_CONFORMANCE_TRANSPORT ?? "uring,native").split(
  ",",
);

/** Autobahn waits for a second. A tenth shows the same: what must not happen, does not happen at once either. */
const WAIT_MS = isFull ? 1_000 : 50;
/** Above the scripts' own, which tell more. */
const CASE_TIMEOUT_MS = 500_000;
const GONE_TIMEOUT_MS = 10_000;

/** Of groups 12 and 13 each delivery gets another third at full size; with every transport and role all are covered. */
function casesOf(delivery: Delivery): Case[] {
  const third = isOfWs ? undefined : DELIVERIES.indexOf(delivery);
  return caseList(isFull, third).filter(({ id }) => asked?.includes(id) ?? true);
}

async function run(echo: Echo, id: string, script: Script): Promise<Result> {
  const startMs = performance.now();
  const { peer, gone } = await echo.meet({ wishes: script.wishes });
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
  const ratio = outcome.ratio === undefined ? null : Math.round(outcome.ratio * 1_000) / 1_000;
  return { id, ...verdict, durationMs, closeCode: outcome.closeCode ?? null, ratio };
}

/** An echo to start, and what it is called in the report. */
interface Subject {
  readonly transport: string;
  readonly role: Role;
  readonly delivery: Delivery;
  readonly start: () => Promise<Echo>;
}

function suite({ start, ...names }: Subject): void {
  const results: Result[] = [];
  let echo: Echo;
  beforeAll(async () => {
    echo = await start();
  });
  afterAll(async () => {
    await echo.close();
    if (folder !== undefined) writeReport(folder, { runtime: runtime.name, ...names, results });
  });
  for (const entry of casesOf(names.delivery)) {
    const { id, script: makeScript } = entry;
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
            ratio: null,
          }),
        );
        results.push(result);
        expect(result, result.remark).toMatchObject(
          script.isInformational === true
            ? { behaviour: "INFORMATIONAL", behaviourClose: "INFORMATIONAL" }
            : { behaviour: isOfWs ? expect.stringMatching(/^(OK|NON-STRICT)$/) : "OK", behaviourClose: "OK" },
        );
      },
      CASE_TIMEOUT_MS,
    );
  }
}

/** Ours on a loop of its own. */
async function startOurs(transport: "uring" | "native", role: Role, delivery: Delivery): Promise<Echo> {
  const loop = new Loop({ transport });
  const echo = await startEcho(loop, role, delivery);
  return { ...echo, close: () => echo.close().finally(() => loop.close()) };
}

/** Loaded only where it is asked for: on Bun and Deno "ws" is not the npm package. */
async function startWs(role: Role): Promise<Echo> {
  const { startWsEcho } = await import("./ws_echo.ts");
  return await startWsEcho(role);
}

for (const role of ROLES) {
  if (isOfWs) {
    describe(`ws as ${role}`, () =>
      suite({ transport: "ws", role, delivery: "copies", start: () => startWs(role) }));
    continue;
  }
  for (const transport of ["uring", "native"] as const) {
    if (!transports.includes(transport)) continue;
    for (const delivery of DELIVERIES) {
      const isMissing = transport === "uring" && NO_URING !== undefined;
      const start = (): Promise<Echo> => startOurs(transport, role, delivery);
      describe.skipIf(isMissing)(`${role} over ${transport}, ${delivery}`, () =>
        suite({ transport, role, delivery, start }),
      );
    }
  }
}
