/**
 * That a platform's shim works, as far as this machine can tell: its C tests, and the library itself loaded by a program of the platform.
 * It runs with the old C library that it was built for, whatever this machine has. Foreign processors are emulated (qemu), which leaves io_uring out.
 */
import { join } from "node:path";
import { capture, ROOT, runCaptured, tail } from "../setup/command.mjs";
import { makeShim } from "./shim.mjs";
import { compilerOf } from "./sysroot.mjs";

const QEMU = { arm64: "qemu-aarch64-static", amd64: "qemu-x86_64-static" };
const HOST = { x64: "amd64", arm64: "arm64" }[process.arch];
const TEST_LIMIT_MS = 300_000;

function isForeign(platform) {
  return platform.debian !== HOST;
}

/** The program that runs this platform's programs here, or undefined when none is needed. */
export function emulatorOf(platform) {
  return isForeign(platform) ? QEMU[platform.debian] : undefined;
}

/** A command in the platform's terms as one that this machine can run: by the loader, and so the C library, that the shim was built for. */
function launch(platform, program, ...args) {
  const libraries = join(platform.sysroot, "lib", platform[platform.libc]);
  const loader =
    platform.libc === "musl"
      ? [join(libraries, "libc.so")]
      : [join(libraries, platform.loader), "--library-path", libraries];
  return [...(isForeign(platform) ? [emulatorOf(platform)] : []), ...loader, program, ...args];
}

/** Loads the published library. Returns a complaint, or undefined. */
function load(platform) {
  const program = join(platform.directory, "load_library");
  const source = join(ROOT, "ffi/test/load_library.c");
  const built = capture(compilerOf(platform), [
    "-I",
    join(ROOT, "ffi/include"),
    "-o",
    program,
    source,
    "-ldl",
  ]);
  if (built.status !== 0) return `load_library.c cannot be compiled: ${tail(built.stderr, 4)}`;
  const [command, ...args] = launch(platform, program, platform.library);
  const result = capture(command, args, { timeout: 60_000 });
  return result.status === 0
    ? undefined
    : `the library cannot be loaded: ${tail(result.stdout + result.stderr, 3)}`;
}

/**
 * Runs the C tests of a platform and loads its library.
 *
 * @returns Numbers of tests, and `complaint`, why that is not good enough.
 */
export async function prove(platform) {
  const program = makeShim(platform, "build/ringwire_test");
  const [command, ...args] = launch(platform, program);
  // What an emulator cannot do must not pass for a failure.
  const environment = isForeign(platform) ? { RINGWIRE_TEST_EMULATED: "1" } : {};
  const { status, output } = await runCaptured(command, args, { limitMs: TEST_LIMIT_MS, environment });
  const count = (word) => output.split("\n").filter((line) => line.startsWith(`${word} `)).length;
  const numbers = { passed: count("passed"), failed: count("FAILED"), skipped: count("SKIPPED") };
  const reasons = new Set([...output.matchAll(/^SKIPPED \S+: (.+)$/gm)].map((match) => match[1]));
  if (status !== 0)
    return { ...numbers, reasons, complaint: `the C tests ended with ${status}:\n${failures(output)}` };
  return { ...numbers, reasons, complaint: load(platform) };
}

function failures(output) {
  const lines = output.split("\n");
  const named = lines.flatMap((line, index) =>
    line.startsWith("FAILED") ? lines.slice(index, index + 2) : [],
  );
  return named.length > 0 ? named.join("\n") : tail(output, 5);
}
