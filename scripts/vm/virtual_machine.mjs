/**
 * Runs a command in a virtual machine whose kernel has what the host's may lack: kernel TLS, netem, and being 6.1, the oldest that the shim
 * works on. It is user-mode-linux, a Linux kernel as a program: no privileges, no images, no network. The command sees the
 * host's files as they are; what it writes is lost, but for the folder it finds in RINGWIRE_VM.
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, ROOT, tail } from "../setup/command.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
/** How often the guest's output is looked at. */
const POLL_MS = 100;
/** Between the guest's own end of time and ours. */
const GRACE_MS = 5_000;
const MAP_COUNT = "/proc/sys/vm/max_map_count";
/** user-mode-linux maps each page of a guest's process by itself: with the usual 65,530 a guest's process dies at 256 MiB. */
const MAPS = 1_048_576;

function quoted(word) {
  return `'${String(word).replaceAll("'", "'\\''")}'`;
}

/** The host's environment, with what is to be different, as shell text. */
function environmentText(environment) {
  return Object.entries({ ...process.env, ...environment })
    .filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join("");
}

/** Lets the kernel take more maps where we may; returns what undoes it. */
function raiseMapCount() {
  try {
    const before = readFileSync(MAP_COUNT, "utf8").trim();
    if (Number(before) >= MAPS) return () => {};
    writeFileSync(MAP_COUNT, String(MAPS));
    return () => writeFileSync(MAP_COUNT, before);
  } catch {
    return () => {};
  }
}

/** Where the guest's memory goes: a file that is in memory itself, if there is room. */
function memoryFolder(memoryMiB) {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    if (bavail * bsize > memoryMiB * 2 ** 20) return "/dev/shm";
  } catch {
    // No such place here.
  }
  return tmpdir();
}

/** Reads a growing file from where the last call stopped. */
class Follower {
  #path;
  #at = 0;
  #rest = Buffer.alloc(65_536);

  constructor(path) {
    this.#path = path;
  }

  copyTo(stream) {
    if (!existsSync(this.#path)) return;
    const file = openSync(this.#path, "r");
    try {
      for (;;) {
        const count = readSync(file, this.#rest, 0, this.#rest.length, this.#at);
        if (count === 0) return;
        this.#at += count;
        stream.write(Buffer.from(this.#rest.subarray(0, count)));
      }
    } finally {
      closeSync(file);
    }
  }
}

/**
 * Boots, runs a command in the top folder of the checkout, and powers off. Its output is ours.
 *
 * @param words - Program and arguments.
 * @param options - `limitMs` for everything, `memoryMiB` (2,048), `environment` besides the host's own.
 * @returns The command's exit code: 124 when it took too long; and `complaint` when the machine did not get so far.
 */
export async function runInVirtualMachine(words, { limitMs, memoryMiB = 2_048, environment = {} }) {
  const folder = mkdtempSync(join(tmpdir(), "ringwire-vm-"));
  const path = (name) => join(folder, name);
  for (const name of ["init.sh", "session.sh"]) copyFileSync(join(HERE, name), path(name));
  writeFileSync(path("limit"), String(Math.ceil(limitMs / 1000)));
  const variables = environmentText({ ...environment, RINGWIRE_VM: folder });
  writeFileSync(path("command"), `${variables}cd ${quoted(ROOT)}\nexec ${words.map(quoted).join(" ")}\n`);

  const restoreMapCount = raiseMapCount();
  const console_ = openSync(path("console"), "w");
  const child = spawn(
    findProgram("linux.uml") ?? "linux.uml",
    [
      ...[`mem=${memoryMiB}M`, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"],
      ...["init=/bin/sh", `uml_dir=${path("uml")}`, "con=null", "con0=null,fd:1", "ssl=null", "console=tty0"],
      ...["quiet", "panic=-1", `RINGWIRE_VM=${folder}`, "--", path("init.sh")],
    ],
    {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: memoryFolder(memoryMiB) },
      // A group of its own: it is many processes, and they end together.
      detached: true,
      stdio: ["ignore", console_, console_],
    },
  );
  closeSync(console_);
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All gone.
    }
  };
  const output = new Follower(path("output"));
  const poll = setInterval(() => output.copyTo(process.stdout), POLL_MS);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, limitMs + GRACE_MS);
  const interrupted = (signal) => {
    end();
    cleanUp();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  const cleanUp = () => {
    clearInterval(poll);
    clearTimeout(timer);
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    restoreMapCount();
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);

  const cause = await new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
  });
  end();
  output.copyTo(process.stdout);
  const text = (name) => (existsSync(path(name)) ? readFileSync(path(name), "utf8") : "");
  const status = text("status").trim();
  const lastWords = text("console");
  cleanUp();
  if (status !== "") return { code: Number(status), complaint: undefined };
  if (isLate || lastWords.includes("session: out of time")) {
    return { code: 124, complaint: `the virtual machine was stopped after ${limitMs / 1000} s` };
  }
  return { code: 1, complaint: `the virtual machine ${cause} without a result:\n${tail(lastWords, 30)}` };
}
