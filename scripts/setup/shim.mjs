/**
 * The io_uring shim: its Debian packages and its build. It is an acceleration: when it cannot be had, the
 * reason is printed and the library runs on the runtime's own sockets.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { capture, findProgram, ROOT, tail } from "./command.mjs";
import { fingerprint, forget, isDone, markDone } from "./stamp.mjs";

const STEP = "shim";
const LIBRARY = "ffi/build/libringwire.so";

/** What the build needs: how to see that it is there, and the Debian package that brings it. */
const NEEDS = [
  { package: "gcc", isThere: () => findProgram("gcc") !== undefined || findProgram("cc") !== undefined },
  { package: "make", isThere: () => findProgram("make") !== undefined },
  { package: "libc6-dev", isThere: () => existsSync("/usr/include/stdio.h") },
  { package: "liburing-dev", isThere: () => existsSync("/usr/include/liburing.h") },
  { package: "zlib1g-dev", isThere: () => existsSync("/usr/include/zlib.h") },
  { package: "libdeflate-dev", isThere: () => existsSync("/usr/include/libdeflate.h") },
  { package: "libssl-dev", isThere: () => existsSync("/usr/include/openssl/ssl.h") },
];

/** What the build takes where it can be had: AES-GCM with long vectors, which OpenSSL 3.0 lacks. Debian has it for x86-64 only. */
const WISH = { package: "libipsec-mb-dev", isThere: () => existsSync("/usr/include/intel-ipsec-mb.h") };

function missingPackages() {
  return NEEDS.filter((need) => !need.isThere()).map((need) => need.package);
}

/** Installs Debian packages where that is possible. Returns a reason why not, or undefined. */
function installMissing() {
  const missing = missingPackages();
  if (missing.length === 0) return undefined;
  const advice = `install ${missing.join(", ")} (Debian, Ubuntu: apt-get install ${missing.join(" ")})`;
  if (!findProgram("apt-get")) return `missing build tools: ${advice}`;
  if (process.getuid?.() !== 0) return `missing build tools, and not root: ${advice}`;
  console.log(`set-up: installing Debian packages: ${missing.join(" ")}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 300_000 };
  const update = capture("apt-get", ["update", "-q"], options);
  const install = capture("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...missing], options);
  if (install.status === 0 && missingPackages().length === 0) return undefined;
  return `apt-get failed (${tail(install.stderr || update.stderr, 3)}): ${advice}`;
}

/** Installs the wish too. That it cannot be had is no reason to have no shim: only time is lost. */
function installWish() {
  if (process.arch !== "x64" || WISH.isThere() || !findProgram("apt-get") || process.getuid?.() !== 0) return;
  console.log(`set-up: installing Debian package: ${WISH.package}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 300_000 };
  const words = ["install", "-y", "-q", "--no-install-recommends", WISH.package];
  if (capture("apt-get", words, options).status === 0) return;
  // The lists of packages are missing or old.
  capture("apt-get", ["update", "-q"], { ...options, timeout: 60_000 });
  const install = capture("apt-get", words, options);
  if (install.status !== 0)
    console.log(`set-up: without ${WISH.package} (${tail(install.stderr, 1)}): AES-GCM is OpenSSL's own`);
}

/**
 * Builds the shim when its sources have changed.
 *
 * @returns A reason why there is no shim, or undefined when it is there.
 */
export function buildShim() {
  if (process.platform !== "linux") return "io_uring needs Linux";
  if (!existsSync(join(ROOT, "ffi/Makefile"))) return "this checkout has no ffi/Makefile";
  const state = fingerprint(["ffi/Makefile", "ffi/ipsec_mb.mk", "ffi/include", "ffi/src", LIBRARY]);
  if (existsSync(join(ROOT, LIBRARY)) && isDone(STEP, state)) return undefined;
  const reason = installMissing();
  if (reason !== undefined) return reason;
  installWish();
  forget(STEP);
  console.log("set-up: building the io_uring shim (make -C ffi)");
  const make = capture("make", ["-C", "ffi"]);
  if (make.status !== 0) return `"make -C ffi" failed:\n${tail(make.stderr || make.stdout)}`;
  if (!existsSync(join(ROOT, LIBRARY))) return `"make -C ffi" made no ${LIBRARY}`;
  markDone(STEP, fingerprint(["ffi/Makefile", "ffi/ipsec_mb.mk", "ffi/include", "ffi/src", LIBRARY]));
  return undefined;
}
