/**
 * The shim itself for one platform, by ffi/Makefile as it is: in a folder of links to the sources, so that nothing of it touches the
 * developer's own build.
 */
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { capture, ROOT, tail } from "../setup/command.mjs";
import { buildEnvironment } from "./sysroot.mjs";

const SOURCES = ["Makefile", "ipsec_mb.mk", "include", "src", "test", "fuzz"];

/**
 * Runs make for a platform.
 *
 * @param target - A file below build, as in ffi/Makefile.
 * @returns Where the file is.
 * @throws Error with the compiler's words.
 */
export function makeShim(platform, target) {
  const folder = join(platform.directory, "shim");
  const isMade = capture("test", ["-e", join(folder, "Makefile")]).status === 0;
  if (!isMade) {
    mkdirSync(folder, { recursive: true });
    for (const name of SOURCES) symlinkSync(join(ROOT, "ffi", name), join(folder, name));
  }
  const words = ["CC=cc", `IPSEC_MB=${platform.hasIpsecMb ? "-l:libIPSec_MB.a" : ""}`, target];
  const make = capture("make", [`-j${availableParallelism()}`, "-C", folder, ...words], {
    env: buildEnvironment(platform),
  });
  if (make.status !== 0)
    throw new Error(`"make ${target}" failed for ${platform.name}:\n${tail(make.stderr)}`);
  return join(folder, target);
}

/** Builds the shim and leaves it, stripped, with its notices in dist/platforms. */
export function buildShim(platform) {
  rmSync(dirname(platform.library), { recursive: true, force: true });
  mkdirSync(dirname(platform.library), { recursive: true });
  const built = makeShim(platform, "build/libringwire.so");
  const strip = capture(`${platform.gnu}-strip`, ["--strip-all", "-o", platform.library, built]);
  if (strip.status !== 0) throw new Error(`Cannot strip ${built}: ${tail(strip.stderr, 2)}`);
  copyFileSync(
    join(platform.prefix, "THIRD_PARTY_NOTICES"),
    join(dirname(platform.library), "THIRD_PARTY_NOTICES"),
  );
}
