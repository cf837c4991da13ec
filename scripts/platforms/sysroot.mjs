/**
 * What a compiler needs of a foreign system: headers and libraries of its C library and kernel, unpacked beside everything else, and a
 * script `cc` that compiles for that system and finds nothing of this machine's.
 */
import { chmodSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { capture, ROOT } from "../setup/command.mjs";
import { OLD_RELEASE, RELEASE, unpackPackages } from "./debian.mjs";

const LIBC = {
  gnu: (debian) => [`libc6:${debian}/${OLD_RELEASE}`, `libc6-dev:${debian}/${OLD_RELEASE}`],
  musl: (debian) => [`musl:${debian}/${RELEASE}`, `musl-dev:${debian}/${RELEASE}`],
};

/** The path of the script that compiles for a platform. */
export function compilerOf(platform) {
  return join(platform.directory, "bin", "cc");
}

function exportsOf(platform) {
  return join(platform.directory, "bin", "exports.map");
}

function compilerFlags(platform) {
  const { sysroot, prefix, gnu } = platform;
  const triplet = platform[platform.libc];
  const own = capture(`${gnu}-gcc`, ["-print-file-name=include"]).stdout.trim();
  const includes = [
    `${prefix}/include`,
    // musl's headers are complete, those of glibc lean on the compiler's.
    ...(platform.libc === "musl" ? [`${sysroot}/usr/include/${triplet}`, own] : [own]),
    `${sysroot}/usr/include/${gnu}`,
    `${sysroot}/usr/include`,
  ];
  // musl's libc.a is in usr/lib and its libc.so in lib, which must be found first: the shim shares the C library of its process.
  const libraries = [`${prefix}/lib`, `${sysroot}/lib/${triplet}`, `${sysroot}/usr/lib/${triplet}`];
  return [
    `--sysroot=${sysroot}`,
    "-nostdinc",
    ...includes.map((path) => `-isystem ${path}`),
    // -B: crti.o and its like come from the same place.
    ...libraries.map((path) => `-B${path}/ -L${path}`),
    "-static-libgcc",
    // What nobody calls is left out of the library: OpenSSL's parts refer to each other much.
    "-ffunction-sections -fdata-sections -Wl,--gc-sections",
    // musl's own start files would add two names to the shim's.
    `-Wl,--version-script=${exportsOf(platform)}`,
    // The same input gives the same bytes, wherever the checkout is.
    `-ffile-prefix-map=${platform.directory}/= -ffile-prefix-map=${ROOT}/=`,
    // Runtimes give their threads 1 MiB and more. Our tests do not say, and musl's own idea is 128 KiB: too little for certificates.
    ...(platform.libc === "musl" ? ["-Wl,-z,stack-size=1048576"] : []),
    ...platform.flags,
  ];
}

/** Links in packages say "/lib/…" and would lead to this machine's own files: now they stay inside. */
function keepLinksInside(sysroot) {
  for (const entry of readdirSync(sysroot, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    const target = readlinkSync(link);
    if (!isAbsolute(target)) continue;
    rmSync(link);
    symlinkSync(join(sysroot, target), link);
  }
}

/** Makes headers, libraries and compiler of a platform anew; whatever had been built with those of before goes. */
export function makeSysroot(platform) {
  rmSync(platform.directory, { recursive: true, force: true });
  unpackPackages(
    [...LIBC[platform.libc](platform.debian), `linux-libc-dev:${platform.debian}/${RELEASE}`],
    platform.sysroot,
  );
  keepLinksInside(platform.sysroot);
  mkdirSync(join(platform.directory, "bin"), { recursive: true });
  writeFileSync(exportsOf(platform), "{ global: rw_*; local: *; };\n");
  const words = [`exec ${platform.gnu}-gcc`, ...compilerFlags(platform), '"$@"'];
  writeFileSync(compilerOf(platform), `#!/bin/sh\n${words.join(" \\\n  ")}\n`);
  chmodSync(compilerOf(platform), 0o755);
}

/** The environment in which a platform's sources are built: `cc` is its compiler, and clocks stand still. */
export function buildEnvironment(platform) {
  return {
    ...process.env,
    PATH: `${join(platform.directory, "bin")}:${process.env.PATH}`,
    CC: "cc",
    AR: `${platform.gnu}-ar`,
    RANLIB: `${platform.gnu}-ranlib`,
    LC_ALL: "C",
    SOURCE_DATE_EPOCH: "0",
  };
}
