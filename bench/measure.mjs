/**
 * One measurement: a fresh server process on one core, the load generator on another.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { capture, findProgram, ROOT, tail } from "../scripts/setup/command.mjs";

const START_LIMIT_MS = 15_000;
const PROGRAMS = join(ROOT, "bench/load/build");

/** Whether server and load get a core each. Without that, figures show how two programs share one. */
export const IS_PINNED = availableParallelism() >= 2 && findProgram("taskset") !== undefined;

function pinned(core, words) {
  return IS_PINNED ? ["taskset", "-c", String(core), ...words] : words;
}

/** Builds the load generators. Returns a reason why that cannot be, or undefined. */
export function buildLoad() {
  const make = capture("make", ["-s", "-C", "bench/load"]);
  return make.status === 0 ? undefined : tail(make.stderr || String(make.error ?? make.status));
}

/** Starts a server and waits for its line "listening PORT" (or "… 127.0.0.1:PORT"). */
export function startServer({ name, command, environment }) {
  return new Promise((resolve, reject) => {
    const [program, ...args] = pinned(0, command);
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let complaint = "";
    const fail = (why) => {
      child.kill("SIGKILL");
      reject(new Error(`${name}: ${why}\n${tail(complaint || output, 6)}`));
    };
    const timer = setTimeout(
      () => fail(`no "listening" line within ${START_LIMIT_MS / 1000} s`),
      START_LIMIT_MS,
    );
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? code} before it listened`);
    });
    child.stderr.on("data", (text) => {
      complaint = (complaint + text).slice(-4096);
    });
    child.stdout.on("data", (text) => {
      output += text;
      const port = /listening\s+(?:\S*:)?(\d+)/.exec(output)?.[1];
      if (port === undefined || !output.includes("\n")) return;
      clearTimeout(timer);
      child.removeAllListeners("exit");
      resolve({ child, port });
    });
  });
}

export function stopServer(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", resolve);
    child.kill("SIGKILL");
  });
}

function runLoad(load, words, limitMs) {
  return new Promise((resolve, reject) => {
    const [program, ...args] = pinned(1, [join(PROGRAMS, load), ...words]);
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], timeout: limitMs });
    let output = "";
    let complaint = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      complaint += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(complaint.trim() || `the load generator ended with ${signal ?? code}`));
    });
  });
}

/**
 * @param participant - From participants.mjs.
 * @param load - Options of the load generator.
 * @param options - `seconds`, `warmupSeconds`, and the load generator: `program`.
 * @returns The load generator's report.
 * @throws Error naming the participant, with what it or the load generator said.
 */
export async function measure(participant, load, { seconds, warmupSeconds, program = "load" }) {
  const { child, port } = await startServer(participant);
  try {
    const words = ["--port", port, "--seconds", String(seconds), "--warmup", String(warmupSeconds)];
    // taskset becomes the program it starts, so this is the server's own process id.
    words.push("--server-pid", String(child.pid));
    for (const [name, value] of Object.entries(load))
      words.push(`--${name}`, ...(value === true ? [] : [String(value)]));
    return await runLoad(program, words, (seconds + warmupSeconds + 20) * 1000);
  } catch (error) {
    throw new Error(`${participant.name}: ${error.message}`);
  } finally {
    await stopServer(child);
  }
}
