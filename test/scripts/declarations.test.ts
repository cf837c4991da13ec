/**
 * The published declarations must have all that users can reach, and nothing that they cannot.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = new URL("../../scripts/packages/declarations.mjs", import.meta.url).href;
const { writeDeclarations } = (await import(script)) as {
  writeDeclarations(from: string, to: string, paths: string[]): void;
};

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ringwire-declarations-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, "from", path)), { recursive: true });
  writeFileSync(join(root, "from", path), text);
}

function written(path: string): string | undefined {
  const file = join(root, "to", path);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function write(): void {
  writeDeclarations(join(root, "from"), join(root, "to"), ["mod.d.ts"]);
}

test("what is exported for other files only is left out, with its comment and what only it needs", () => {
  put("mod.d.ts", 'export { Loop } from "./loop.ts";\n');
  put(
    "loop.d.ts",
    'import type { Engine } from "./engine.ts";\nimport { type Options, type Other } from "./options.ts";\n/** Inside. */\nexport declare function engineOf(loop: Loop, other: Other): Engine;\n/** A loop. */\nexport declare class Loop {\n    constructor(options?: Options);\n}\n',
  );
  put("engine.d.ts", "export interface Engine {}\n");
  put(
    "options.d.ts",
    "/** How long. */\ntype Milliseconds = number;\n/** Options. */\nexport interface Options {\n    readonly waitMs?: Milliseconds;\n}\n/** Others. */\nexport interface Other {}\n",
  );
  write();
  expect(written("mod.d.ts")).toBe('export { Loop } from "./loop.js";\n');
  expect(written("loop.d.ts")).toBe(
    'import { type Options } from "./options.js";\n/** A loop. */\nexport declare class Loop {\n  constructor(options?: Options);\n}\n',
  );
  expect(written("options.d.ts")).toBe(
    "/** How long. */\ntype Milliseconds = number;\n/** Options. */\nexport interface Options {\n  readonly waitMs?: Milliseconds;\n}\n",
  );
  expect(written("engine.d.ts")).toBeUndefined();
});

test("names that are passed on under others are followed, through several files and in circles", () => {
  put("mod.d.ts", 'export type { Wide as Public } from "./a.ts";\n');
  put("a.d.ts", 'import type { Back } from "./b.ts";\nexport interface Wide extends Back {}\n');
  put(
    "b.d.ts",
    'import type { Wide } from "./a.ts";\ndeclare const key: unique symbol;\ninterface Own {\n    wide?: Wide;\n    [key]?: 1;\n}\nexport { type Own as Back };\n',
  );
  write();
  expect(written("a.d.ts")).toContain('from "./b.js"');
  expect(written("b.d.ts")).toContain("declare const key");
});

test("a name that nobody exports, and types that it cannot follow, are told", () => {
  put("mod.d.ts", 'export { Missing } from "./a.ts";\n');
  put("a.d.ts", "export {};\n");
  expect(write).toThrow('a.d.ts exports no "Missing"');
  put("mod.d.ts", 'export type Hidden = import("./a.ts").Other;\n');
  expect(write).toThrow("import() types");
});
