/**
 * The shims that go into the platform packages: those that `npm run platforms` has built, and for trying things out on this machine
 * the one of the checkout.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isCurrent } from "../platforms/state.mjs";
import { capture, ROOT } from "../setup/command.mjs";
import { PLATFORM_NAMES } from "./manifests.mjs";

const LOCAL = join(ROOT, "ffi/build/libringwire.so");
/** What the checkout's own build links statically, in Debian's packages. */
const LINKED = ["libssl-dev", "zlib1g-dev", "libdeflate-dev", "liburing-dev", "libipsec-mb-dev"];

const built = (platform, file) => join(ROOT, "dist/platforms", platform, file);

/** The platform that the checkout's own build is for. */
export function localPlatform() {
  const isMusl = !process.report.getReport().header.glibcVersionRuntime;
  return `${process.platform}-${process.arch}-${isMusl ? "musl" : "gnu"}`;
}

/**
 * The shims that may be published: for each platform that `npm run platforms` has built from the sources as they are, its name, file and notices of
 * what is linked in. One of older sources would be refused when it is loaded.
 */
export function shimsToPublish() {
  const names = PLATFORM_NAMES.filter((name) => existsSync(built(name, "libringwire.so")) && isCurrent(name));
  return names.map((name) => ({
    name,
    library: built(name, "libringwire.so"),
    notices: readFileSync(built(name, "THIRD_PARTY_NOTICES"), "utf8"),
    isLocal: false,
  }));
}

/** The same for trying things out: where there is none for this machine's platform, the checkout's own build. */
export function shimsToTry() {
  const local = localPlatform();
  const shims = shimsToPublish();
  if (shims.some(({ name }) => name === local) || !existsSync(LOCAL)) return shims;
  return [{ name: local, library: LOCAL, notices: localNotices(), isLocal: true }, ...shims];
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
