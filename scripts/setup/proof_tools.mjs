/**
 * What proving the C side needs beyond building it: clang with its sanitizers and libFuzzer for `npm run fuzz`,
 * valgrind and the programs openssl and ip for `npm test`, a kernel with kTLS for `npm run test:ktls`. None is needed to use or to change the
 * library, so a plain set-up stays small.
 */
import { existsSync, readdirSync } from "node:fs";
import { capture, findProgram, tail } from "./command.mjs";

const CLANG_PACKAGES = ["clang", "libclang-rt-14-dev"];

/** Installs Debian packages where that is possible. Returns why they are still missing, or undefined. */
export function install(packages, isThere, what) {
  if (isThere()) return undefined;
  const advice = `install ${packages.join(" and ")} (Debian: apt-get install ${packages.join(" ")})`;
  if (!findProgram("apt-get") || process.getuid?.() !== 0) return `${what} is missing: ${advice}`;
  console.log(`set-up: installing Debian packages: ${packages.join(" ")}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 600_000 };
  capture("apt-get", ["update", "-q"], options);
  const result = capture("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], options);
  return isThere() ? undefined : `apt-get failed (${tail(result.stderr, 3)}): ${advice}`;
}

/** Whether clang can link a fuzzer: the program may be there without the library. */
function hasLibFuzzer() {
  if (findProgram("clang") === undefined) return false;
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const directory = capture("clang", ["-print-resource-dir"]).stdout.trim();
  return existsSync(`${directory}/lib/linux/libclang_rt.fuzzer-${machine}.a`);
}

/** Why libFuzzer cannot be used here, after trying to mend it; undefined when it can. */
export function missingLibFuzzer() {
  return install(CLANG_PACKAGES, hasLibFuzzer, "clang with libFuzzer");
}

/** Why valgrind cannot be used here, after trying to mend it; undefined when it can. */
export function missingValgrind() {
  // libc6-dbg: without the C library's symbols valgrind refuses to start.
  return install(["valgrind", "libc6-dbg"], () => capture("valgrind", ["true"]).status === 0, "valgrind");
}

/** Where the modules of user-mode-linux are, kernel TLS among them. */
const MODULES = "/usr/lib/uml/modules";

function hasVirtualMachine() {
  if (findProgram("linux.uml") === undefined || findProgram("busybox") === undefined) return false;
  if (!existsSync(MODULES)) return false;
  return readdirSync(MODULES).some((kernel) => existsSync(`${MODULES}/${kernel}/kernel/net/tls/tls.ko`));
}

/** Why no virtual machine with kernel TLS can be started here, after trying to mend it; undefined when one can. */
export function missingVirtualMachine() {
  if (process.platform !== "linux") return "user-mode-linux needs Linux";
  // busybox-static: the guest loads modules and powers off with it, before it has the host's libraries.
  return install(
    ["user-mode-linux", "busybox-static"],
    hasVirtualMachine,
    "user-mode-linux, a Linux kernel that runs as a program,",
  );
}

/** Why the openssl program, which makes certificates for tests and benches, cannot be used here; undefined when it can. */
export function missingOpenssl() {
  return install(["openssl"], () => findProgram("openssl") !== undefined, "the openssl program");
}

/** Why the program ip, with which tests break networks of their own, cannot be used here; undefined when it can. */
export function missingIp() {
  return install(["iproute2"], () => findProgram("ip") !== undefined, "the program ip");
}
