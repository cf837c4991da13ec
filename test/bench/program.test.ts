/**
 * Programs that the bench harness starts.
 */
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";

interface Program {
  line(): Promise<string>;
  spread(count: number): void;
  stop(): Promise<void>;
  threads(): string[];
}
const script = new URL("../../bench/program.mjs", import.meta.url).href;
const { IS_PINNED, Program } = (await import(script)) as {
  IS_PINNED: boolean;
  Program: new (name: string, how: { command: string[]; cores: string }) => Program;
};

function coresOf(thread: string): string | undefined {
  return /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync(`${thread}/status`, "utf8"))?.[1];
}

/** Programs are given cores by number. */
const hasCores = IS_PINNED && /^0-/.test(coresOf("/proc/self") ?? "");

test.skipIf(!hasCores)("the busiest thread gets a core to itself, and all others the last one", async () => {
  const work = "for (let count = 0; count < 5e7; count++); console.log('ready'); setInterval(() => {}, 1e6)";
  const program = new Program("of this test", { command: ["node", "-e", work], cores: "0-1" });
  onTestFinished(() => program.stop());
  expect(await program.line()).toBe("ready");
  const main = program.threads()[0] as string;
  program.spread(2);
  const others = program.threads().filter((thread) => thread !== main);
  expect(coresOf(main)).toBe("0");
  expect(others.length).toBeGreaterThan(1);
  expect(new Set(others.map(coresOf))).toEqual(new Set(["1"]));
});
