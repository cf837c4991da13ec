#!/usr/bin/env node
/**
 * The declarations of dist/: of all that tsc makes, those that a program which imports an entry point gets to see. What is exported
 * for other files of the library only, and what only that needs, is left out; the text of the rest stays as tsc wrote it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { parseAst } from "rolldown/parseAst";
import { entryPoints } from "../entry_points.mjs";
import { ROOT } from "../setup/command.mjs";

/** Calls `visit` for every node of a syntax tree. */
function walk(node, visit) {
  if (node === null || typeof node !== "object") return;
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit);
    return;
  }
  if (typeof node.type === "string") visit(node);
  for (const child of Object.values(node)) walk(child, visit);
}

/** The path of a declaration file that another one imports; undefined for packages. */
function targetOf(path, specifier) {
  return specifier.startsWith(".")
    ? posix.join(posix.dirname(path), specifier.replace(/\.ts$/, ".d.ts"))
    : undefined;
}

/** One declaration file: what it declares, imports and passes on, and which statements are wanted. */
class Module {
  path;
  text;
  statements;
  wanted = new Set();
  /** Names to the statements that declare them here. */
  declared = new Map();
  /** Names to where they are imported from: path and name there, or the package's import statement. */
  imported = new Map();
  /** Exported names to the statement and, for those of other files, path and name there; for own ones, the name here. */
  exported = new Map();

  constructor(path, text) {
    this.path = path;
    this.text = text;
    this.statements = parseAst(this.text, { lang: "dts", astType: "ts" }, path).body;
    for (const statement of this.statements) this.#read(statement);
  }

  #read(statement) {
    const source = statement.source?.value;
    if (statement.type === "ImportDeclaration") {
      for (const { local, imported } of statement.specifiers) {
        this.imported.set(local.name, { statement, path: targetOf(this.path, source), name: imported?.name });
      }
    } else if (statement.type === "ExportNamedDeclaration" && statement.declaration === null) {
      for (const { local, exported } of statement.specifiers) {
        const path = source === undefined ? undefined : targetOf(this.path, source);
        this.exported.set(exported.name, { statement, path, name: local.name });
      }
    } else {
      const declaration = statement.declaration ?? statement;
      const names = declaration.declarations?.map(({ id }) => id.name) ?? [declaration.id?.name];
      for (const name of names) {
        if (name === undefined) continue;
        this.declared.set(name, [...(this.declared.get(name) ?? []), statement]);
        if (statement.declaration !== undefined) this.exported.set(name, { name });
      }
    }
  }

  /** The text with only what is wanted in it, paths as programs need them, and half of tsc's indentation. */
  print() {
    const parts = [];
    let from = 0;
    for (const statement of this.statements) {
      // A statement's comment stands between it and the one before.
      if (this.wanted.has(statement)) parts.push(this.#slice(statement, from));
      from = statement.end;
    }
    const text = parts.join("").trim();
    return `${text.replace(/^(?: {4})+/gm, (spaces) => spaces.slice(spaces.length / 2))}\n`;
  }

  #slice(statement, from) {
    const comment = this.text.slice(from, statement.start);
    const body = this.text.slice(statement.start, statement.end);
    const isImport = statement.type === "ImportDeclaration";
    // The comment above the first import is about the source file.
    const kept = isImport ? `\n${this.#withoutUnused(statement, body)}` : comment + body;
    return kept.replace(/((?:from |import\()")(\.[^"]+)\.ts"/g, '$1$2.js"');
  }

  #withoutUnused(statement, body) {
    const names = statement.specifiers.filter(({ local }) => this.wanted.has(local.name));
    if (names.length === statement.specifiers.length) return body;
    const words = names.map((each) => this.text.slice(each.start, each.end));
    return `${body.slice(0, body.indexOf("{"))}{ ${words.join(", ")} ${body.slice(body.lastIndexOf("}"))}`;
  }
}

/** All files, and the way from what is exported to what that needs. */
class Declarations {
  modules = new Map();
  #folder;

  constructor(folder) {
    this.#folder = folder;
  }

  module(path) {
    if (!this.modules.has(path)) {
      this.modules.set(path, new Module(path, readFileSync(join(this.#folder, path), "utf8")));
    }
    return this.modules.get(path);
  }

  /** Wants what a file exports under a name. */
  wantExport(path, name) {
    const module = this.module(path);
    const found = module.exported.get(name);
    if (found === undefined) throw new Error(`${path} exports no "${name}"`);
    if (found.statement !== undefined) module.wanted.add(found.statement);
    if (found.path !== undefined) this.wantExport(found.path, found.name);
    else this.#wantName(module, found.name);
  }

  #wantName(module, name) {
    const imported = module.imported.get(name);
    if (imported !== undefined && !module.wanted.has(name)) {
      module.wanted.add(name).add(imported.statement);
      if (imported.path !== undefined) this.wantExport(imported.path, imported.name);
    }
    for (const statement of module.declared.get(name) ?? []) {
      if (module.wanted.has(statement)) continue;
      module.wanted.add(statement);
      walk(statement, (node) => {
        if (node.type === "Identifier") this.#wantName(module, node.name);
        if (node.type === "TSImportType")
          throw new Error(`${module.path}: import() types are not understood here`);
      });
    }
  }
}

/**
 * Writes what the entry points lead to.
 *
 * @param from - Where tsc has put all declarations. @param to - Where they go.
 * @param paths - The declarations of the entry points, from there.
 * @throws Error when a file has what is not understood here.
 */
export function writeDeclarations(
  from = join(ROOT, "build/types"),
  to = join(ROOT, "dist"),
  paths = entryPoints().map(({ stem }) => `${stem}.d.ts`),
) {
  const all = new Declarations(from);
  for (const path of paths) {
    for (const name of all.module(path).exported.keys()) all.wantExport(path, name);
  }
  for (const module of all.modules.values()) {
    if (module.wanted.size === 0) continue;
    mkdirSync(dirname(join(to, module.path)), { recursive: true });
    writeFileSync(join(to, module.path), module.print());
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeDeclarations();
