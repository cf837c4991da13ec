#!/usr/bin/env node
/**
 * `npm start`: sets up, then runs examples/market_feed.ts, the main job in one program, on the runtimes
 * asked for.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { programCommand, programEnvironment, RUNTIMES } from "./runtimes.mjs";
import { ROOT, run } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const PROGRAM = "examples/market_feed.ts";

const HELP = `Usage: npm start [-- OPTIONS]

Starts an embedded market-data server and a client with many connections over the best transport this
machine has, shows live figures, ends by itself, and compares with the runtime's own sockets.

  --runtime NAME      bun, deno, node, or all, one after another   (default: bun; deno for "deno task start")
  --transport NAME    auto, uring or native                        (default: auto)
  --seconds N         how long each transport is measured          (default: 5)
  --connections N     how many connections the client opens        (default: 200)
  --rate N            messages per second in the steady phase      (default: 50000)
  --help              this text

"bun run start" and "deno task start" take the same options.`;

const options = parseOrExit(
  process.argv.slice(2),
  {
    runtime: ["bun", "deno", "node", "all"],
    transport: ["auto", "uring", "native"],
    seconds: "number",
    connections: "number",
    rate: "number",
  },
  HELP,
);
if (options.rest.length > 0) {
  console.error(`Unknown argument "${options.rest[0]}".\n\n${HELP}`);
  process.exit(2);
}

await setUpOrExit();
if (!existsSync(join(ROOT, PROGRAM))) {
  console.error(`Cannot start: this checkout has no ${PROGRAM}`);
  process.exit(1);
}

const runtimes = options.runtime === "all" ? RUNTIMES : [options.runtime ?? "bun"];
const words = [];
for (const name of ["transport", "seconds", "connections", "rate"]) {
  if (options[name] !== undefined) words.push(`--${name}`, String(options[name]));
}

let worst = 0;
for (const runtime of runtimes) {
  if (runtime === "node") {
    // The examples import the package by its name, which for Node is dist/.
    const complaint = build("dist") ?? build("node");
    if (complaint !== undefined) {
      console.error(`${complaint}\nCannot start on node: the build failed`);
      worst = 1;
      continue;
    }
  }
  if (runtimes.length > 1) console.log(`\n── ${runtime} ──`);
  const [program, ...args] = programCommand(runtime, PROGRAM);
  const code = await run(program, [...args, ...words], { environment: programEnvironment(runtime) });
  if (code === 127) console.error(`Cannot start ${runtime}: "${program}" does not run`);
  worst = Math.max(worst, code);
  if (code === 130) break;
}
process.exit(worst);
