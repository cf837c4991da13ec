/**
 * The programs of this machine that cross compiling needs, and the Debian packages that bring them.
 */
import { existsSync } from "node:fs";
import { findProgram } from "../setup/command.mjs";
import { install } from "../setup/proof_tools.mjs";
import { emulatorOf } from "./proof.mjs";

function needsOf(platform, isTested) {
  const emulator = isTested ? emulatorOf(platform) : undefined;
  return [
    ["make", "make"],
    ["perl", "perl"],
    ["dpkg-source", "dpkg-dev"],
    ["readelf", "binutils"],
    [`${platform.gnu}-gcc`, platform.debian === "amd64" ? "gcc-x86-64-linux-gnu" : "gcc-aarch64-linux-gnu"],
    ...(emulator === undefined ? [] : [[emulator, "qemu-user-static"]]),
  ];
}

/** Why these platforms cannot be built here, after trying to mend it; undefined when they can. */
export function missingTools(platforms, isTested) {
  if (process.platform !== "linux" || findProgram("apt-get") === undefined)
    return "this needs Debian or a system made of it";
  const needs = platforms.flatMap((platform) => needsOf(platform, isTested));
  const isThere = ([program]) => findProgram(program) !== undefined;
  const packages = [...new Set(needs.filter((need) => !isThere(need)).map(([, name]) => name))];
  if (!existsSync("/usr/share/keyrings/debian-archive-keyring.gpg")) packages.push("debian-archive-keyring");
  return install(packages, () => packages.length === 0 || needs.every(isThere), "what cross compiling needs");
}
