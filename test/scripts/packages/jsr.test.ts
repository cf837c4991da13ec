/** The JSR package as it is published. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const script = new URL("../../../scripts/packages/jsr.mjs", import.meta.url).href;
const { stageJsr } = (await import(script)) as { stageJsr(folder: string): string };

test("the JSR package has its sources, and no link in its README that leads nowhere", () => {
  const folder = mkdtempSync(join(tmpdir(), "ringwire-jsr-"));
  try {
    expect(stageJsr(folder)).toBe(folder);
    const { exports } = JSON.parse(readFileSync(join(folder, "deno.json"), "utf8")) as {
      exports: Record<string, string>;
    };
    for (const path of Object.values(exports)) expect(existsSync(join(folder, path))).toBe(true);
    const links = readFileSync(join(folder, "README.md"), "utf8").matchAll(/\]\(([^)]+)\)/g);
    for (const [, target] of links) expect(target).toMatch(/^(https:|#)/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
