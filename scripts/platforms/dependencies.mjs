/**
 * The libraries that are linked into the shim, built from Debian's sources for one platform, with no more in them than the shim calls.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { capture, tail } from "../setup/command.mjs";
import { RELEASE, unpackPackages, unpackSource } from "./debian.mjs";
import { WORK } from "./platform.mjs";
import { buildEnvironment } from "./sysroot.mjs";

const words = (text) => text.split(" ");

/**
 * What OpenSSL does without. Stays: TLS 1.2 and 1.3 with every cipher suite in use, keys of every kind in PEM with or without passphrase
 * (3DES and scrypt among their encryptions), certificates, kernel TLS.
 */
const OPENSSL_WITHOUT = [
  ...words("shared module dso engine legacy tests filenames autoload-config ui-console deprecated rdrand"),
  ...words("ssl3 comp dtls srp srtp psk nextprotoneg ct ocsp cms cmp ts gost"),
  ...words(
    "aria bf blake2 camellia cast dsa ec2m idea md4 mdc2 rc2 rc4 rmd160 seed siphash sm2 sm3 sm4 whirlpool",
  ),
];
const OPENSSL_WITH = words("ktls ec_nistp_64_gcc_128");

/** How each is built in its own folder: commands, then the files that are taken to lib and include, and the licence. */
const RECIPES = {
  openssl: {
    title: "OpenSSL",
    commands: (platform) => [
      [
        "./Configure",
        platform.openssl,
        "--prefix=/usr",
        "--openssldir=/etc/ssl",
        ...OPENSSL_WITHOUT.map((word) => `no-${word}`),
        ...OPENSSL_WITH.map((word) => `enable-${word}`),
      ],
      ["make", "build_generated"],
      ["make", "libcrypto.a", "libssl.a"],
    ],
    lib: ["libcrypto.a", "libssl.a"],
    include: ["include/openssl"],
    licence: "LICENSE.txt",
  },
  zlib: {
    title: "zlib",
    commands: () => [
      ["./configure", "--static"],
      ["make", "libz.a", "CFLAGS=-O3 -fPIC"],
    ],
    lib: ["libz.a"],
    include: ["zlib.h", "zconf.h"],
    licence: "LICENSE",
  },
  libdeflate: {
    title: "libdeflate",
    // Its decompressor for single messages is all that is used.
    commands: () => [["make", "libdeflate.a", "CFLAGS=-O3 -fPIC"]],
    lib: ["libdeflate.a"],
    include: ["libdeflate.h"],
    licence: "COPYING",
  },
  liburing: {
    title: "liburing",
    commands: () => [
      ["./configure", "--cc=cc"],
      ["make", "-C", "src", "liburing.a", "ENABLE_SHARED=0", "CFLAGS=-O3 -fPIC -g0"],
    ],
    lib: ["src/liburing.a"],
    include: ["src/include/liburing", "src/include/liburing.h"],
    licence: "LICENSE",
  },
};

/** Runs one command, or throws with the end of what it said. */
function runOrThrow(command, cwd, platform) {
  const [program, ...args] = command;
  const jobs = program === "make" ? [`-j${availableParallelism()}`] : [];
  const result = capture(program, [...jobs, ...args], { cwd, env: buildEnvironment(platform) });
  if (result.status === 0) return;
  throw new Error(
    `"${command.slice(0, 3).join(" ")}" failed in ${cwd}:\n${tail(result.stderr || result.stdout)}`,
  );
}

function take(files, from, to) {
  mkdirSync(to, { recursive: true });
  for (const file of files) cpSync(join(from, file), join(to, file.split("/").at(-1)), { recursive: true });
}

/** The sources, once for all platforms. Returns the version. */
function fetchSource(name) {
  const directory = join(WORK, "sources", name);
  const versionFile = `${directory}.version`;
  if (!existsSync(versionFile)) {
    mkdirSync(join(WORK, "sources"), { recursive: true });
    writeFileSync(versionFile, unpackSource(name, directory));
  }
  return readFileSync(versionFile, "utf8");
}

function buildOne(name, platform) {
  const { title, commands, lib, include, licence } = RECIPES[name];
  const version = fetchSource(name);
  const folder = join(platform.directory, name);
  cpSync(join(WORK, "sources", name), folder, { recursive: true, preserveTimestamps: true });
  for (const command of commands(platform)) runOrThrow(command, folder, platform);
  take(lib, folder, join(platform.prefix, "lib"));
  take(include, folder, join(platform.prefix, "include"));
  return { title, version, licence: readFileSync(join(folder, licence), "utf8") };
}

/** Intel's library as Debian has built it: it is written in an assembler of its own, and knows no C library. */
function takeIpsecMb(platform) {
  const folder = join(platform.directory, "ipsec_mb");
  unpackPackages([`libipsec-mb-dev:${platform.debian}/${RELEASE}`], folder);
  const downloaded = readdirSync(join(WORK, "downloads", platform.name, "ipsec_mb"))[0];
  take([`lib/${platform.gnu}/libIPSec_MB.a`], join(folder, "usr"), join(platform.prefix, "lib"));
  take(["include/intel-ipsec-mb.h"], join(folder, "usr"), join(platform.prefix, "include"));
  return {
    title: "Intel Multi-Buffer Crypto for IPsec",
    version: downloaded.split("_")[1],
    licence: readFileSync(join(folder, "usr/share/doc/libipsec-mb-dev/copyright"), "utf8"),
  };
}

/**
 * Builds all of a platform's libraries into its prefix, and writes down what they are and under which terms they may be passed on.
 *
 * @throws Error with the end of the compiler's words.
 */
export function buildDependencies(platform) {
  const parts = Object.keys(RECIPES).map((name) => buildOne(name, platform));
  if (platform.hasIpsecMb) parts.push(takeIpsecMb(platform));
  const list = parts.map(({ title, version }) => `${title} ${version}`).join("\n");
  const texts = parts.map(
    ({ title, licence }) => `${"=".repeat(80)}\n${title}\n${"=".repeat(80)}\n\n${licence.trim()}\n`,
  );
  writeFileSync(
    join(platform.prefix, "THIRD_PARTY_NOTICES"),
    `Linked into libringwire.so, from the sources of Debian:\n\n${list}\n\n${texts.join("\n")}`,
  );
}
