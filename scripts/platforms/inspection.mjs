/**
 * What a shim must look like from outside before anybody is given it, read from its ELF headers.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { capture, ROOT, tail } from "../setup/command.mjs";
import { MAX_LIBRARY_BYTES, NEWEST_GLIBC } from "./platform.mjs";

/** Libraries that every system of the kind has, the C library first. libpthread and libdl are part of libc since glibc 2.34, and stay for such as we. */
const NEEDED = {
  gnu: (platform) => ["libc.so.6", "libpthread.so.0", "libdl.so.2", platform.loader],
  musl: () => ["libc.so"],
};

function readelf(path, ...words) {
  const result = capture("readelf", ["--wide", ...words, path], { env: { ...process.env, LC_ALL: "C" } });
  if (result.status !== 0) throw new Error(`Cannot read ${path}: ${tail(result.stderr, 2)}`);
  return result.stdout;
}

/** Compares "2.9" and "2.28" as versions. */
function compareVersions(a, b) {
  return a.localeCompare(b, "en", { numeric: true });
}

/** The functions that ffi/include/ringwire.h promises. */
function promisedSymbols() {
  const header = readFileSync(join(ROOT, "ffi/include/ringwire.h"), "utf8");
  return [...header.matchAll(/^RW_API\b.*?\b(rw_\w+)\(/gm)].map((match) => match[1]).sort();
}

/**
 * Inspects a library.
 *
 * @returns `faults`, what is wrong with it, in words; `bytes`; `glibc`, the newest version of symbols needed.
 */
export function inspect(platform, path = platform.library) {
  const faults = [];
  const expect = (condition, fault) => {
    if (!condition) faults.push(fault);
  };
  const bytes = statSync(path).size;
  expect(bytes <= MAX_LIBRARY_BYTES, `${bytes} bytes are more than ${MAX_LIBRARY_BYTES}`);
  expect(readelf(path, "--file-header").includes(platform.machine), `not for ${platform.machine}`);

  const dynamic = readelf(path, "--dynamic");
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]);
  const allowed = NEEDED[platform.libc](platform);
  const foreign = needed.filter((name) => !allowed.includes(name));
  expect(foreign.length === 0, `needs ${foreign.join(", ")}`);
  expect(needed.includes(allowed[0]), `has a C library of its own instead of ${allowed[0]}`);
  expect(!dynamic.includes("TEXTREL"), "has text relocations");
  expect(!/RPATH|RUNPATH/.test(dynamic), "has a search path");
  expect(/BIND_NOW|Flags:.*\bNOW\b/.test(dynamic), "is bound lazily");

  const segments = readelf(path, "--program-headers");
  expect(segments.includes("GNU_RELRO"), "has no read-only relocations");
  expect(/GNU_STACK.* RW\s/.test(segments), "has an executable stack");
  expect(!/\.(symtab|debug_)/.test(readelf(path, "--section-headers")), "is not stripped");

  const exported = [];
  for (const line of readelf(path, "--dyn-syms").split("\n")) {
    const [, , , , binding, , section, name] = line.trim().split(/\s+/);
    if ((binding === "GLOBAL" || binding === "WEAK") && section !== "UND") exported.push(name);
  }
  const promised = promisedSymbols();
  const extra = exported.filter((name) => !promised.includes(name));
  const missing = promised.filter((name) => !exported.includes(name));
  expect(extra.length === 0, `exports ${extra.join(", ")}`);
  expect(missing.length === 0, `lacks ${missing.join(", ")}`);

  const versions = [...readelf(path, "--version-info").matchAll(/GLIBC_([\d.]+)/g)].map((match) => match[1]);
  const glibc = versions.sort(compareVersions).at(-1);
  expect(
    glibc === undefined || compareVersions(glibc, NEWEST_GLIBC) <= 0,
    `needs glibc ${glibc}, not ${NEWEST_GLIBC}`,
  );
  expect(!readFileSync(path).includes(ROOT), `names ${ROOT}`);
  return { faults, bytes, glibc };
}
