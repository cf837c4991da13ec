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
export function localPlatform() {
  const isMusl = !process.report.getReport().header.glibcVersionRuntime;
  return `${process.platform}-${process.arch}-${isMusl ? "musl" : "gnu"}`;
}

/** The shims that may be published: for each platform that `npm run platforms` has built, its name, file and notices of what is linked in. */
export function shimsToPublish() {
  return PLATFORM_NAMES.filter((name) => existsSync(built(name, "libringwire.so"))).map((name) => ({
    name,
    library: built(name, "libringwire.so"),
    notices: readFileSync(built(name, "THIRD_PARTY_NOTICES"), "utf8"),
    isLocal: false,
  }));
}

/** The same for trying things out: for this machine's platform, the checkout's own build if it is newer, and so of newer sources. */
export function shimsToTry() {
  const local = localPlatform();
  const shims = shimsToPublish();
  if (changedMs(LOCAL) <= changedMs(built(local, "libringwire.so"))) return shims;
  const own = { name: local, library: LOCAL, notices: localNotices(), isLocal: true };
  return [own, ...shims.filter(({ name }) => name !== local)];
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
