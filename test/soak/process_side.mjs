/**
 * What every process of a soak has: orders come as lines on its input, and everything it has to say goes out as lines of JSON. So it
 * works alike on Bun, Deno and Node, and whatever else is printed stands out.
 */
import process from "node:process";
import { createInterface } from "node:readline";

/** Says something to scripts/soak.mjs. */
export function say(type, fields = {}) {
  process.stdout.write(`${JSON.stringify({ type, ...fields })}\n`);
}

/**
 * Calls a function with the words of each order. Returns what ends the listening, so that the process can end by itself. Does so at
 * once when whoever gives the orders is gone.
 */
export function obey(handle) {
  const lines = createInterface({ input: process.stdin });
  const orphaned = () => process.exit(3);
  lines.on("close", orphaned);
  lines.on("line", (line) => {
    const [order, ...words] = line.split(" ");
    handle(order, words);
  });
  return () => {
    lines.off("close", orphaned);
    lines.close();
    process.stdin.destroy();
  };
}

/** Counts by name, and failures, which are said at once. */
export class Ledger {
  #counts = new Map();
  #failures = 0;
  #who;

  /** @param who - Stands in front of each failure. */
  constructor(who) {
    this.#who = who;
  }

  count(name, by = 1) {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  /** Something that must not happen did. The first hundred are told, all are counted. */
  fail(text) {
    this.count("failures");
    if (this.#failures++ < 100) say("failure", { text: `${this.#who}: ${text}` });
  }

  get counts() {
    return Object.fromEntries([...this.#counts].sort());
  }
}

/** Collects garbage as thoroughly as the runtime allows from inside, so that what is left is held by somebody. */
export async function collectGarbage() {
  for (let round = 0; round < 4; round++) {
    if (globalThis.Bun) globalThis.Bun.gc(true);
    else globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Bytes in the runtime's own view. */
export function memory() {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heapUsed, external, arrayBuffers };
}
