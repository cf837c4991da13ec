#!/usr/bin/env node
/**
 * Layer check: imports under src point down only, and only src/runtime names a runtime. Reads the syntax
 * tree (Rolldown's parser, which Vitest brings along), so comments, strings and property names don't count.
 *
 * Usage: check_layers.mjs [ROOT]
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseAst } from "rolldown/parseAst";

/**
 * The layers: which files belong to each (paths from src; the first match counts) and which other layers
 * they may import. src/loop.ts is the composition root: nobody else sees transports and runtimes.
 */
const LAYERS = [
  { name: "version", files: /^version\.ts$/, imports: [] },
  { name: "errors", files: /^(tls_)?errors\.ts$/, imports: [] },
  { name: "protocol", files: /^protocol\//, imports: ["errors"] },
  { name: "seam", files: /^(transport|tls|runtime\/runtime)\.ts$/, imports: ["errors", "protocol"] },
  { name: "timers", files: /^(timer_wheel|process_ref|spare_memory)\.ts$/, imports: ["errors", "protocol"] },
  { name: "uring", files: /^uring\//, imports: ["errors", "protocol", "seam"] },
  { name: "native", files: /^native\//, imports: ["errors", "protocol", "seam"] },
  { name: "bun", files: /^runtime\/bun\//, imports: ["errors", "seam", "system"] },
  { name: "deno", files: /^runtime\/deno\//, imports: ["version", "errors", "seam", "system"] },
  { name: "node", files: /^runtime\/node\//, imports: ["errors", "seam", "system"] },
  { name: "detection", files: /^runtime\/detect\.ts$/, imports: ["errors", "seam", "bun", "deno", "node"] },
  // Standard input and output, signals, exit code: for programs, which the library is not.
  { name: "console", files: /^runtime\/console\.ts$/, imports: ["errors"] },
  { name: "files", files: /^runtime\/(files|crc32)\.ts$/, imports: ["errors", "protocol"] },
  { name: "system", files: /^runtime\//, imports: ["errors", "protocol", "seam", "files"] },
  // Options name the Loop and the Replay that they take.
  { name: "options", files: /^(tls_)?options\.ts$/, imports: ["errors", "seam", "loop", "limit", "record"] },
  // A replay is a transport; a recorder stands around one, and takes it from the loop's engine.
  {
    name: "record",
    files: /^record\//,
    imports: ["errors", "protocol", "seam", "timers", "files", "options", "loop"],
  },
  { name: "metrics", files: /^metrics\//, imports: ["errors"] },
  { name: "diagnostics", files: /^diagnostics\//, imports: ["errors", "seam"] },
  {
    name: "loop",
    files: /^loop\.ts$/,
    imports: [
      ...["errors", "protocol", "seam", "timers", "options", "metrics", "diagnostics"],
      ...["uring", "native", "record", "detection"],
    ],
  },
  { name: "limit", files: /^limit\//, imports: ["errors", "timers", "options", "loop"] },
  {
    name: "stream",
    files: /^stream\//,
    imports: ["errors", "protocol", "seam", "timers", "options", "loop", "record"],
  },
  { name: "http", files: /^http\//, imports: ["errors", "protocol", "seam", "timers", "options", "loop"] },
  {
    name: "websocket",
    files: /^websocket\//,
    imports: [
      ...["errors", "protocol", "seam", "timers", "options", "metrics", "diagnostics", "loop", "limit"],
      ...["http", "stream", "record"],
    ],
  },
  {
    name: "service",
    files: /^service\//,
    imports: [
      ...["errors", "protocol", "seam", "timers", "options", "metrics", "loop", "http", "stream"],
      "websocket",
    ],
  },
  {
    name: "pool",
    files: /^pool\//,
    imports: ["errors", "protocol", "timers", "options", "loop", "stream", "websocket"],
  },
  { name: "feed", files: /^feed\//, imports: ["errors", "options", "metrics"] },
  {
    name: "public face",
    files: /^mod\.ts$/,
    imports: [
      ...["errors", "protocol", "seam", "options", "metrics", "diagnostics", "loop", "limit", "http"],
      ...["stream", "websocket", "service", "record"],
    ],
  },
  {
    name: "cli",
    files: /^cli\//,
    // The runtime and the shim are for `doctor`, which looks below the loop.
    imports: [
      ...[
        "version",
        "errors",
        "seam",
        "console",
        "detection",
        "uring",
        "options",
        "loop",
        "http",
        "websocket",
      ],
      ...["service", "record", "public face"],
    ],
  },
];

/** What only src/runtime may say. */
const RUNTIME_NAMES = new Set(["Bun", "Deno", "Buffer", "process", "require", "koffi"]);
/** Protocol code does no I/O, keeps no time, rolls no dice and awaits nothing. */
const IMPURE_NAMES = new Set([
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "Promise", "Date", "performance"],
  ...["crypto", "fetch", "console", "WebSocket", "Worker"],
]);
const GLOBAL_OBJECTS = new Set(["globalThis", "self", "global", "window"]);

const layerOf = (path) => LAYERS.find((layer) => layer.files.test(path));

/** Calls `visit(node, parent, key)` for a syntax tree, parents first. */
function walk(node, visit, parent, key) {
  if (node === null || typeof node !== "object") return;
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit, parent, key);
    return;
  }
  if (typeof node.type === "string") visit(node, parent, key);
  for (const [name, child] of Object.entries(node)) walk(child, visit, node, name);
}

/** What a node imports, if it imports or exports from somewhere. */
function specifierOf(node) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node.source?.value;
    default:
      return undefined;
  }
}

/** Whether an identifier stands for a thing in scope, and not for a property's name. */
function isReference(parent, key) {
  if (parent === undefined) return true;
  const isName = (key === "property" || key === "key") && !parent.computed;
  if (isName && key === "property") return GLOBAL_OBJECTS.has(parent.object?.name);
  return !isName && !(parent.type === "TSQualifiedName" && key === "right");
}

/** Where an import leads, as a path from src; undefined for packages. */
function targetOf(path, specifier) {
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(path), specifier);
}

function checkImport(path, layer, specifier) {
  const target = targetOf(path, specifier);
  if (target === undefined) {
    return path.startsWith("runtime/")
      ? undefined
      : `imports "${specifier}": only src/runtime may import packages`;
  }
  if (target.startsWith("..")) return `imports "${specifier}", which is outside src`;
  const other = layerOf(target);
  if (other === undefined) return `imports "${specifier}", which belongs to no layer`;
  if (other === layer || layer.imports.includes(other.name)) return undefined;
  return `imports "${specifier}": ${layer.name} may not import ${other.name}`;
}

function checkName(path, layer, name) {
  if (RUNTIME_NAMES.has(name) && !path.startsWith("runtime/")) {
    return `names "${name}": only src/runtime may`;
  }
  if (layer.name === "protocol" && IMPURE_NAMES.has(name)) return `names "${name}": protocol code is pure`;
  return undefined;
}

function checkFile(path, source) {
  const layer = layerOf(path);
  if (layer === undefined)
    return [{ line: 1, text: "belongs to no layer: name one in scripts/check_layers.mjs" }];
  const problems = [];
  walk(parseAst(source, { lang: "ts", astType: "ts" }, path), (node, parent, key) => {
    const specifier = specifierOf(node);
    let text;
    if (typeof specifier === "string") text = checkImport(path, layer, specifier);
    else if (node.type === "Identifier" && isReference(parent, key)) text = checkName(path, layer, node.name);
    else if (layer.name === "protocol" && (node.async === true || node.type === "AwaitExpression")) {
      text = "is asynchronous: protocol code is pure";
    }
    if (text !== undefined) problems.push({ line: source.slice(0, node.start).split("\n").length, text });
  });
  return problems;
}

/**
 * Checks every TypeScript file under ROOT/src.
 *
 * @returns Problems as "src/path.ts:line: what is wrong"; empty when all is well.
 */
export function checkLayers(root) {
  const base = join(root, "src");
  const files = readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(base, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/"))
    .sort();
  return files.flatMap((path) =>
    checkFile(path, readFileSync(join(base, path), "utf8")).map(
      ({ line, text }) => `src/${path}:${line}: ${text}`,
    ),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const root = process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url)));
  const problems = checkLayers(root);
  for (const problem of problems) console.error(problem);
  console.log(
    problems.length === 0 ? "layers: all imports point down" : `layers: ${problems.length} problems`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}
