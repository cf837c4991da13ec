/**
 * What fuzzing the C side needs beyond the shim: clang with its sanitizers and libFuzzer. The replay of the kept corpus
 * needs none of it, so that a plain set-up stays small.
 */
import { existsSync } from "node:fs";
import { capture, findProgram, tail } from "./command.mjs";

const PACKAGES = ["clang", "libclang-rt-14-dev"];

/** Whether clang can link a fuzzer: the program may be there without the library. */
function hasLibFuzzer() {
  if (findProgram("clang") === undefined) return false;
  const path = capture("clang", ["-print-file-name=libclang_rt.fuzzer-x86_64.a"]).stdout.trim();
  const directory = capture("clang", ["-print-resource-dir"]).stdout.trim();
  return existsSync(path) || existsSync(`${directory}/lib/linux/libclang_rt.fuzzer-${machine()}.a`);
}

function machine() {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/** Why C targets cannot run here, after trying to mend it; undefined when they can. */
export function missingForFuzzing(isReplay) {
  if (process.platform !== "linux") return "io_uring needs Linux";
  if (!existsSync("/usr/include/liburing.h")) return "liburing-dev is missing";
  if (isReplay || hasLibFuzzer()) return undefined;
  const advice = `install ${PACKAGES.join(" and ")} (Debian: apt-get install ${PACKAGES.join(" ")})`;
  if (!findProgram("apt-get") || process.getuid?.() !== 0) return `no clang with libFuzzer: ${advice}`;
  console.log(`set-up: installing Debian packages: ${PACKAGES.join(" ")}`);
  const environment = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 600_000 };
  capture("apt-get", ["update", "-q"], environment);
  const install = capture(
    "apt-get",
    ["install", "-y", "-q", "--no-install-recommends", ...PACKAGES],
    environment,
  );
  return hasLibFuzzer() ? undefined : `apt-get failed (${tail(install.stderr, 3)}): ${advice}`;
}
