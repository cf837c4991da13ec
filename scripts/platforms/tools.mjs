/**
 * The programs of this machine that cross compiling needs, and the Debian packages that bring them.
 */
import { existsSync } from "node:fs";
import { findProgram } from "../setup/command.mjs";
import { install } from "../setup/proof_tools.mjs";
import { KEYRING } from "./debian.mjs";
import { emulatorOf } from "./proof.mjs";

/** What each platform needs, a program or a file, and the Debian package that brings it. */
function needsOf(platform, isTested) {
  const emulator = isTested ? emulatorOf(platform) : undefined;
  return [
    ["make", "make"],
    ["perl", "perl"],
    ["readelf", "binutils"],
    ["dpkg-source", "dpkg-dev"],
    [KEYRING, "debian-archive-keyring"],
    [`${platform.gnu}-gcc`, platform.debian === "amd64" ? "gcc-x86-64-linux-gnu" : "gcc-aarch64-linux-gnu"],
    ...(emulator === undefined ? [] : [[emulator, "qemu-user-static"]]),
  ];
}

function isThere([name]) {
  return name.startsWith("/") ? existsSync(name) : findProgram(name) !== undefined;
}

/** Why these platforms cannot be built here, after trying to mend it; undefined when they can. */
export function missingTools(platforms, isTested) {
  if (process.platform !== "linux" || findProgram("apt-get") === undefined) {
    return "this needs Debian or a system made of it";
  }
  const needs = platforms.flatMap((platform) => needsOf(platform, isTested));
  const packages = new Set(needs.filter((need) => !isThere(need)).map(([, name]) => name));
  return install([...packages], () => needs.every(isThere), "what cross compiling needs");
}
