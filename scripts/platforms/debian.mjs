/**
 * Packages and sources from Debian, of any processor and several releases, without touching the machine's own: apt with lists, cache and
 * state of its own under build/platforms. apt verifies signatures and checksums, and the machine's settings (a proxy, say) hold.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capture, tail } from "../setup/command.mjs";
import { WORK } from "./platform.mjs";

const APT = join(WORK, "apt");
const CONFIGURATION = join(APT, "apt.conf");
/** Whose signatures count. */
export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR = "http://deb.debian.org";
const DAY_MS = 86_400_000;

/** Where the shim's libraries come from, newest first, and musl, which has no versions of symbols. */
export const RELEASE = "bookworm";
/** Whose C library programs are linked with: symbols have the versions of this old one (2.31), however new the compiler is. */
export const OLD_RELEASE = "bullseye";

const SOURCES = [
  `deb [arch=amd64,arm64 signed-by=${KEYRING}] ${MIRROR}/debian ${OLD_RELEASE} main`,
  `deb [arch=amd64,arm64 signed-by=${KEYRING}] ${MIRROR}/debian ${RELEASE} main`,
  `deb-src [signed-by=${KEYRING}] ${MIRROR}/debian ${RELEASE} main`,
  `deb-src [signed-by=${KEYRING}] ${MIRROR}/debian-security ${RELEASE}-security main`,
];

/** Debian has not given what was asked for: no fault of the checkout. */
export class MirrorError extends Error {}

function apt(program, args, cwd = WORK) {
  const options = { cwd, env: { ...process.env, APT_CONFIG: CONFIGURATION, LC_ALL: "C" }, timeout: 300_000 };
  return capture(program, args, options);
}

function aptOrThrow(args, cwd) {
  const result = apt("apt-get", args, cwd);
  if (result.status !== 0)
    throw new MirrorError(`apt-get ${args[0]} failed: ${tail(result.stderr || result.stdout, 4)}`);
}

/**
 * Reads Debian's lists of packages; those of today are good enough.
 *
 * @throws MirrorError when the mirror cannot be reached or does not prove who it is.
 */
export function readLists() {
  const stamp = join(APT, "read");
  if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < DAY_MS) return;
  rmSync(APT, { recursive: true, force: true });
  for (const name of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(APT, name), { recursive: true });
  writeFileSync(join(APT, "sources.list"), `${SOURCES.join("\n")}\n`);
  writeFileSync(join(APT, "status"), "");
  const settings = {
    "Dir::Etc::SourceList": join(APT, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "Dir::State": join(APT, "state"),
    "Dir::State::Status": join(APT, "status"),
    "Dir::Cache": join(APT, "cache"),
    "Acquire::Languages": "none",
    // Debian's user for downloads may not write into a checkout.
    "APT::Sandbox::User": "",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  writeFileSync(CONFIGURATION, `${lines.join("")}APT::Architectures { "amd64"; "arm64"; };\n`);
  aptOrThrow(["update", "-q"]);
  writeFileSync(stamp, "");
}

/**
 * Unpacks binary packages into a directory.
 *
 * @param packages - Names with processor and release: `musl-dev:arm64/bookworm`.
 */
export function unpackPackages(packages, directory) {
  const downloads = join(WORK, "downloads", ...directory.slice(WORK.length + 1).split("/"));
  rmSync(downloads, { recursive: true, force: true });
  mkdirSync(downloads, { recursive: true });
  mkdirSync(directory, { recursive: true });
  aptOrThrow(["download", "-q", ...packages], downloads);
  for (const file of readdirSync(downloads)) {
    const result = capture("dpkg-deb", ["--extract", join(downloads, file), directory]);
    if (result.status !== 0) throw new Error(`Cannot unpack ${file}: ${tail(result.stderr, 2)}`);
  }
}

/** The versions of a source package that Debian has, newest first. */
function sourceVersions(name) {
  const { stdout } = apt("apt-cache", ["showsrc", "--only-source", name]);
  const versions = [...new Set([...stdout.matchAll(/^Version: (.+)$/gm)].map((match) => match[1]))];
  const isNewer = (a, b) => capture("dpkg", ["--compare-versions", a, "gt", b]).status === 0;
  return versions.sort((a, b) => (isNewer(a, b) ? -1 : 1));
}

/**
 * Unpacks the sources of a package with Debian's patches, security updates included.
 *
 * @returns The version.
 */
export function unpackSource(name, directory) {
  const downloads = join(WORK, "downloads", name);
  const versions = sourceVersions(name);
  for (const version of versions) {
    rmSync(downloads, { recursive: true, force: true });
    mkdirSync(downloads, { recursive: true });
    const result = apt("apt-get", ["source", "-q", "--download-only", `${name}=${version}`], downloads);
    if (result.status !== 0) {
      // Mirrors lag behind their lists. A release must not be made of an old version without anybody knowing.
      console.error(`platforms: WARNING: the mirror lacks ${name} ${version}, which Debian's lists have`);
      continue;
    }
    const description = readdirSync(downloads).find((file) => file.endsWith(".dsc"));
    rmSync(directory, { recursive: true, force: true });
    // apt has verified it.
    const words = ["--no-check", "--extract", join(downloads, description), directory];
    const unpacked = capture("dpkg-source", words);
    if (unpacked.status !== 0) throw new Error(`Cannot unpack ${description}: ${tail(unpacked.stderr, 2)}`);
    return version;
  }
  throw new MirrorError(
    `Cannot fetch the sources of ${name}: tried ${versions.join(", ") || "nothing, Debian has none"}`,
  );
}
