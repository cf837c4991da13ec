/**
 * Running other programs, for every script here. Plain JavaScript without packages: set-up runs before
 * anything is installed, under whichever of Node, Bun and Deno the user started.
 */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top directory of the checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** How long the pipes of a program that has ended may stay open. */
const PIPES_MS = 5_000;

/** The full path of a program on the search path, or undefined. */
export function findProgram(name) {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory || ".", name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: look in the next directory.
    }
  }
  return undefined;
}

/** Runs a program to its end, output captured. `status` is null when it could not start or was killed. */
export function capture(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 64 << 20, ...options });
  return {
    status: result.status,
    stdout: result.stdout ?? "",
    stderr: result.stderr ?? "",
    error: result.error,
  };
}

/**
 * Runs a program with our own input and output. Resolves with its exit code: 124 when it ran longer than
 * `limitMs` and was killed, 127 when it could not start.
 */
export function run(program, args, { limitMs = 0, environment = {}, onSignal = true, folder = ROOT } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: folder,
      stdio: "inherit",
      env: { ...process.env, ...environment },
    });
    let isLate = false;
    const timer =
      limitMs > 0
        ? setTimeout(() => {
            isLate = true;
            child.kill("SIGKILL");
          }, limitMs)
        : undefined;
    // Ctrl-C reaches the child as well (same process group): wait for it, so that it can say goodbye.
    const ignore = () => {};
    if (onSignal) process.on("SIGINT", ignore);
    const finish = (code) => {
      clearTimeout(timer);
      process.off("SIGINT", ignore);
      resolve(code);
    };
    child.on("error", () => finish(127));
    child.on("exit", (code, signal) => finish(isLate ? 124 : (code ?? (signal === "SIGINT" ? 130 : 1))));
  });
}

/**
 * Runs a program to its end, standard output and error gathered into one text. `status` is 124 when it ran longer than
 * `limitMs` and was killed, 127 when it could not start.
 */
export function runCaptured(program, args, { limitMs, environment = {}, folder = ROOT }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    const parts = [];
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, limitMs);
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => parts.push(part));
    const finish = (status) => {
      clearTimeout(timer);
      resolve({ status, output: Buffer.concat(parts).toString("utf8") });
    };
    child.on("error", () => finish(127));
    child.on("close", (code) => finish(isLate ? 124 : (code ?? 1)));
    // What a killed program started may keep the pipes open for ever.
    child.on("exit", (code) => setTimeout(finish, PIPES_MS, isLate ? 124 : (code ?? 1)).unref());
  });
}

/** The last lines of a program's output, for an error message. */
export function tail(text, lines = 12) {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
