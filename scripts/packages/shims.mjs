/**
 * The shims that go into the platform packages: those that `npm run platforms` has built, and for trying things out on this machine
 * the one of the checkout.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { capture, ROOT } from "../setup/command.mjs";
import { PLATFORM_NAMES } from "./manifests.mjs";

const LOCAL = join(ROOT, "ffi/build/libringwire.so");
/** What the checkout's own build links statically, in Debian's packages. */
const LINKED = ["libssl-dev", "zlib1g-dev", "libdeflate-dev", "liburing-dev", "libipsec-mb-dev"];

const built = (platform, file) => join(ROOT, "dist/platforms", platform, file);
const changedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** The platform that the checkout's own build is for. */
function localPlatform() {
  const isMusl = !process.report.getReport().header.glibcVersionRuntime;
  return `${process.platform}-${process.arch}-${isMusl ? "musl" : "gnu"}`;
}

/**
 * @returns For each platform that has a shim here: its name, its file, the notices of what is linked in, and whether it is the
 *   checkout's own build, which is for this machine only and not for publishing.
 */
export function findShims() {
  const shims = [];
  for (const name of PLATFORM_NAMES) {
    const library = built(name, "libringwire.so");
    // A shim that was built after the ones for publishing is of newer sources: what is tried out here is the newer.
    const isLocal = name === localPlatform() && changedMs(LOCAL) > changedMs(library);
    if (isLocal) shims.push({ name, library: LOCAL, notices: localNotices(), isLocal });
    else if (existsSync(library)) {
      shims.push({
        name,
        library,
        notices: readFileSync(built(name, "THIRD_PARTY_NOTICES"), "utf8"),
        isLocal,
      });
    }
  }
  return shims;
}

function localNotices() {
  const texts = LINKED.map((name) => [name, `/usr/share/doc/${name}/copyright`])
    .filter(([, path]) => existsSync(path))
    .map(([name, path]) => `${"=".repeat(80)}\n${name}\n${"=".repeat(80)}\n\n${readFileSync(path, "utf8")}`);
  return `Linked into libringwire.so:\n\n${texts.join("\n")}`;
}

/** Leaves out what only debuggers need. */
export function strip(path) {
  const result = capture("strip", ["--strip-unneeded", path]);
  if (result.status !== 0) throw new Error(`Cannot strip ${path}: ${result.stderr || result.error}`);
}
