/**
 * The platforms that get a ready-made shim, and what tells them apart. The first in the list is the one that most people have.
 */
import { join } from "node:path";
import { ROOT } from "../setup/command.mjs";

/** Everything that is fetched or built on the way; what is published goes to {@link OUTPUT}. */
export const WORK = join(ROOT, "build/platforms");
export const OUTPUT = join(ROOT, "dist/platforms");

const x64 = {
  debian: "amd64",
  gnu: "x86_64-linux-gnu",
  musl: "x86_64-linux-musl",
  openssl: "linux-x86_64",
  machine: "X86-64",
  loader: "ld-linux-x86-64.so.2",
  hasIpsecMb: true,
  flags: [],
};
const arm64 = {
  debian: "arm64",
  gnu: "aarch64-linux-gnu",
  musl: "aarch64-linux-musl",
  openssl: "linux-aarch64",
  machine: "AArch64",
  loader: "ld-linux-aarch64.so.1",
  // Intel's library is for Intel's instructions: there OpenSSL's own AES-GCM is used.
  hasIpsecMb: false,
  // GCC's helpers that choose between atomic instructions at run time want a symbol that musl does not have.
  flags: ["-mno-outline-atomics"],
};

function platform(name, processor, libc) {
  const directory = join(WORK, name);
  return {
    name,
    ...processor,
    libc,
    directory,
    sysroot: join(directory, "sysroot"),
    /** Where the libraries that are linked in are installed. */
    prefix: join(directory, "prefix"),
    library: join(OUTPUT, name, "libringwire.so"),
  };
}

export const PLATFORMS = [
  platform("linux-x64-gnu", x64, "gnu"),
  platform("linux-arm64-gnu", arm64, "gnu"),
  platform("linux-x64-musl", x64, "musl"),
  platform("linux-arm64-musl", arm64, "musl"),
];

/**
 * The newest version of the C library's symbols that a shim for glibc may need: that of Debian 10, RHEL 8, Ubuntu 18.10 and Amazon Linux 2023,
 * and what the programs that nodejs.org publishes for Node 20 need themselves.
 */
export const NEWEST_GLIBC = "2.28";

/** npm packages have a size budget; see scripts/pack. */
export const MAX_LIBRARY_BYTES = 6_000_000;
