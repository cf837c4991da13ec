#!/usr/bin/env node
/**
 * `npm run example NAME`: sets up, then runs one of examples/ on a runtime. Without NAME it lists them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { programCommand, programEnvironment, RUNTIMES } from "./runtimes.mjs";
import { ROOT, run } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run example NAME [-- OPTIONS ...]

Runs examples/NAME.ts. Without NAME: lists what there is.

  --runtime NAME      bun, deno or node                      (default: bun)
  --transport NAME    auto, uring or native                  (default: auto)
  --help              this text

All other words are the example's own.`;

const { ours, own } = splitWords(process.argv.slice(2));
const options = parseOrExit(ours, { runtime: RUNTIMES, transport: ["auto", "uring", "native"] }, HELP);
const names = readdirSync(join(ROOT, "examples"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length))
  .sort();
const [name, ...words] = own;

if (name === undefined) {
  const width = Math.max(...names.map((each) => each.length));
  for (const each of names) console.log(`${each.padEnd(width)}  ${purposeOf(each)}`);
  process.exit(0);
}
if (!names.includes(name)) {
  console.error(`There is no example "${name}"; there are ${names.join(", ")}`);
  process.exit(2);
}

await setUpOrExit();
const runtime = options.runtime ?? "bun";
if (runtime === "node") {
  // The examples import the package by its name, which for Node is dist/.
  const complaint = build("dist") ?? build("node");
  if (complaint !== undefined) {
    console.error(`${complaint}\nCannot run on node: the build failed`);
    process.exit(1);
  }
}
const environment = { ...programEnvironment(runtime) };
if (options.transport !== undefined) environment.RINGWIRE_TRANSPORT = options.transport;
const [program, ...args] = programCommand(runtime, `examples/${name}.ts`);
process.exitCode = await run(program, [...args, ...words], { environment });

/** Takes our options out of a command line, wherever they stand: what is left is the example's name, and its own. */
function splitWords(all) {
  const ours = [];
  const own = [];
  for (let index = 0; index < all.length; index++) {
    const word = all[index];
    if (/^(--runtime|--transport)$/.test(word)) ours.push(word, ...all.slice(++index, index + 1));
    else if (/^(--runtime=|--transport=|--help$|-h$)/.test(word)) ours.push(word);
    // npm takes the first one only.
    else if (word !== "--") own.push(word);
  }
  return { ours, own };
}

/** The first sentence of an example's opening comment. */
function purposeOf(example) {
  const source = readFileSync(join(ROOT, "examples", `${example}.ts`), "utf8");
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? "";
  const text = comment.replaceAll(/\s*\n\s*\*?\s*/g, " ").trim();
  return /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text;
}
