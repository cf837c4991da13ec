/**
 * The layer check must see what it forbids, and nothing else.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = new URL("../../scripts/check_layers.mjs", import.meta.url).href;
const { checkLayers } = (await import(script)) as { checkLayers(root: string): string[] };

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ringwire-layers-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(path: string, source: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), source);
}

test("imports that point down are accepted", () => {
  put("src/errors.ts", "export class RingwireError extends Error {}\n");
  put(
    "src/protocol/mask.ts",
    'import { RingwireError } from "../errors.ts";\nexport default RingwireError;\n',
  );
  put("src/websocket/session.ts", 'import "../protocol/mask.ts";\nimport type {} from "../loop.ts";\n');
  put("src/loop.ts", 'import "./uring/ring.ts";\nimport "./runtime/detect.ts";\n');
  put("src/runtime/bun/sockets.ts", 'import { dlopen } from "bun:ffi";\nexport default [Bun, dlopen];\n');
  expect(checkLayers(root)).toEqual([]);
});

test("an import that points up is reported with file and line", () => {
  put("src/protocol/mask.ts", '// why\nimport type { Session } from "../websocket/session.ts";\n');
  expect(checkLayers(root)).toEqual([
    'src/protocol/mask.ts:2: imports "../websocket/session.ts": protocol may not import websocket',
  ]);
});

test("only the loop may import transports and the runtime detection", () => {
  put(
    "src/websocket/server.ts",
    'import "../uring/ring.ts";\nexport * from "../native/native_transport.ts";\n',
  );
  put("src/http/session.ts", 'const detection = await import("../runtime/detect.ts");\n');
  expect(checkLayers(root).map((problem) => problem.split(": ").at(-1))).toEqual([
    "http may not import detection",
    "websocket may not import uring",
    "websocket may not import native",
  ]);
});

test("one runtime may not import another", () => {
  put("src/runtime/bun/wake.ts", 'import "../node/wake.ts";\n');
  expect(checkLayers(root)).toHaveLength(1);
});

test("packages and node modules are refused outside src/runtime, in every way of importing", () => {
  put(
    "src/websocket/session.ts",
    'import "node:net";\nexport * from "koffi";\ntype T = import("bun").Server;\nawait import("bun:ffi");\n',
  );
  expect(checkLayers(root)).toHaveLength(4);
});

test("names of runtimes are refused outside src/runtime, also by way of globalThis and in types", () => {
  put("src/uring/ring.ts", "Deno.pid;\nglobalThis.Bun;\nlet b: Buffer;\nconst { process } = globalThis;\n");
  expect(checkLayers(root).map((problem) => problem.slice(0, 19))).toEqual([
    "src/uring/ring.ts:1",
    "src/uring/ring.ts:2",
    "src/uring/ring.ts:3",
    "src/uring/ring.ts:4",
  ]);
});

test("comments, strings and property names do not count", () => {
  put(
    "src/uring/ring.ts",
    '// Bun and Deno\nconst a = "Deno" + `Bun` + String(/Buffer/);\nconst o = { process: 1 };\no.process;\n/* node:net */ export default a;\n',
  );
  expect(checkLayers(root)).toEqual([]);
});

test("protocol code that keeps time, rolls dice or awaits is refused", () => {
  put("src/protocol/clock.ts", "export const now = () => Date.now();\nexport async function f() {}\n");
  expect(checkLayers(root)).toHaveLength(2);
});

test("a file that belongs to no layer is reported", () => {
  put("src/utils/everything.ts", "export {};\n");
  expect(checkLayers(root)[0]).toContain("belongs to no layer");
});

test("this checkout keeps its layers", () => {
  expect(checkLayers(dirname(dirname(import.meta.dirname)))).toEqual([]);
});
