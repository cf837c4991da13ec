#!/usr/bin/env node
/**
 * `npm run conformance`: Autobahn's cases at their full size against an echo server and an echo client of ours, on each
 * runtime and transport. Leaves build/conformance/report.txt and report.json.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { asText, gather, selected } from "./conformance_report.mjs";
import { RUNTIMES, runtimeCommand, runtimeVersion } from "./runtimes.mjs";
import { capture, ROOT, run } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run conformance [-- OPTIONS]

Runs the cases of Autobahn's list (test/autobahn/cases.json) with scripted bytes against Ringwire as server and as
client, and writes build/conformance/report.txt and report.json. Ends with exit code 1 when a case fails. All of it
takes more than an hour; without groups 12 and 13, which compress a thousand messages a case, eight minutes.

  --runtime NAME      node, bun or deno only
  --transport NAME    uring or native only
  --cases PATTERNS    ids, * stands for anything, commas between: "6.*,9.1.6"   (default: *)
  --subject NAME      ringwire, or ws: what the scripted bytes say of the npm package ws, on Node   (default: ringwire)
  --help              this text`;

const FOLDER = join(ROOT, "build/conformance");
const TRANSPORTS = ["uring", "native"];
/** On each transport: two roles, three ways to take messages (test/autobahn/echo.ts). */
const COMBINATIONS = 6;
/** Two roles. */
const WS_COMBINATIONS = 2;
/** A runtime takes half an hour; a run that hangs is stopped, and its cases count as failed. */
const RUN_LIMIT_MS = 5_400_000;

// Colours are for people at a terminal.
if (!process.stdout.isTTY) process.env.NO_COLOR = "1";

const options = parseOrExit(
  process.argv.slice(2),
  { runtime: RUNTIMES, transport: TRANSPORTS, cases: "text", subject: ["ringwire", "ws"] },
  HELP,
);
if (options.rest.length > 0) {
  console.error(`Unknown argument "${options.rest[0]}".\n\n${HELP}`);
  process.exit(2);
}
const list = JSON.parse(readFileSync(join(ROOT, "test/autobahn/cases.json"), "utf8"));
const ids = selected(
  list.map(({ id }) => id),
  (options.cases ?? "*").split(","),
);
if (ids.length === 0) {
  console.error(`No case matches "${options.cases}".\n\n${HELP}`);
  process.exit(2);
}

const isOfWs = options.subject === "ws";
if (isOfWs && (options.transport !== undefined || (options.runtime ?? "node") !== "node")) {
  console.error(`Subject "ws" runs on Node, over sockets of its own.\n\n${HELP}`);
  process.exit(2);
}

await setUpOrExit();
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });

const exitCodes = {};
const runtimes = isOfWs ? ["node"] : options.runtime ? [options.runtime] : RUNTIMES;
const transports = isOfWs ? ["ws"] : options.transport ? [options.transport] : TRANSPORTS;
for (const runtime of runtimes) {
  console.log(`\n── ${runtime} ──`);
  const [program, ...words] = runtimeCommand(runtime);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--pool=threads"];
  exitCodes[runtime] = await run(program, [...words, ...args, "test/autobahn/conformance.test.ts"], {
    limitMs: RUN_LIMIT_MS,
    environment: {
      RINGWIRE_CONFORMANCE_REPORT: join(FOLDER, "parts"),
      RINGWIRE_CONFORMANCE_CASES: ids.join(","),
      ...(isOfWs ? { RINGWIRE_CONFORMANCE_SUBJECT: "ws" } : {}),
      ...(options.transport ? { RINGWIRE_CONFORMANCE_TRANSPORT: options.transport } : {}),
    },
  });
}

const parts = join(FOLDER, "parts");
mkdirSync(parts, { recursive: true });
const found = readdirSync(parts).map((name) => JSON.parse(readFileSync(join(parts, name), "utf8")));
const order = (combination) => RUNTIMES.indexOf(combination.runtime);
found.sort((one, other) => order(one) - order(other));
const report = gather(ids, found);
for (const runtime of runtimes) {
  const code = exitCodes[runtime];
  for (const transport of transports) {
    const isHere = (one) => one.runtime === runtime && one.transport === transport;
    const missing = (isOfWs ? WS_COMBINATIONS : COMBINATIONS) - found.filter(isHere).length;
    if (missing === 0) continue;
    // A machine without io_uring skips it, which Vitest does not mind.
    if (code === 0) report.skipped.push(`${runtime} over ${transport}: see above why`);
    else report.failures.push(`${runtime} over ${transport}: ${missing} combinations left no results`);
  }
  if (code !== 0 && report.failures.length === 0) {
    report.failures.push(`${runtime}: every case passed, but vitest ended with exit code ${code}`);
  }
}
const versions = runtimes.map((runtime) => `${runtime} ${runtimeVersion(runtime) ?? "?"}`).join(", ");
const commit = capture("git", ["rev-parse", "--short", "HEAD"]).stdout.trim();
const title = `${isOfWs ? "ws, judged by" : "Ringwire"} ${commit} on ${versions}, Linux ${release()}: Autobahn's cases`;
const text = asText(report, title);
writeFileSync(join(FOLDER, "report.txt"), text);
writeFileSync(join(FOLDER, "report.json"), `${JSON.stringify({ title, ...report }, undefined, 1)}\n`);
console.log(
  `\n${text
    .trimEnd()
    .split("\n")
    .slice(ids.length > 40 ? -30 : 0)
    .join("\n")}`,
);
console.log("The whole: build/conformance/report.txt and report.json");
process.exitCode = report.failures.length > 0 ? 1 : 0;
