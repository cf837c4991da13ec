/** Processes that are short of something: descriptors, memory, io_uring itself. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Socket } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { type Running, startProgram } from "../conformance/processes.ts";
import { RawPeer } from "../conformance/raw_peer.ts";
import { NO_URING } from "../conformance/rig.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts programs/victim.mjs under this runtime. */
function startVictim(args: readonly string[], before: readonly string[] = []): Running {
  // Deno looks for a newer version of itself in the background, and panics when that finds no descriptor.
  return startProgram("../../hostile/programs/victim.mjs", args, { DENO_NO_UPDATE_CHECK: "1" }, before);
}

/** Whether a program is installed. */
function has(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(`SKIPPED: no ${program} on this machine`);
    return false;
  }
}

/** CPU time of a process, milliseconds. Read from outside: one without descriptors cannot look. */
function cpuMs(running: Running): number {
  const fields = readFileSync(`/proc/${running.child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  // utime and stime, in ticks of 10 ms on every Linux of today.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What a socket answers. */
async function ask(
  socket: Socket,
  answers: AsyncIterator<{ text(): string }>,
  question: string,
): Promise<string> {
  socket.send(question);
  const { value } = await answers.next();
  return (value as { text(): string }).text();
}

/** Connects and gets an answer, within 10 s: the next try of an accept may be 100 ms away. */
async function exchangeAnew(url: string): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    const socket = await connect(url, { handshakeTimeoutMs: 1_000 }).catch(() => undefined);
    if (socket === undefined) continue;
    expect(await ask(socket, socket[Symbol.asyncIterator](), "again")).toBe("again");
    socket.terminate();
    return;
  }
  throw new Error("The server accepts nobody any more");
}

for (const kind of ["uring", "native"] as const) {
  describe.skipIf(process.platform !== "linux" || (kind === "uring" && NO_URING !== undefined))(
    `a server short of resources over ${kind}`,
    () => {
      test.skipIf(!has("prlimit"))(
        "[shim.descriptors] without descriptors it neither spins nor stops accepting, and its sockets work on",
        async () => {
          const running = startVictim(["serves", kind], ["prlimit", "--nofile=80:80"]);
          const peers: RawPeer[] = [];
          const isDeaf = runtime.name === "deno" && kind === "native";
          try {
            const port = Number((await running.see(/listening (\d+)/))[1]);
            const url = `ws://127.0.0.1:${port}/`;
            const good = await connect(url);
            const answers = good[Symbol.asyncIterator]();
            expect(await ask(good, answers, "before")).toBe("before");
            for (let index = 0; index < 150; index++) {
              const peer = await RawPeer.connect(port).catch(() => undefined);
              if (peer !== undefined) peers.push(peer);
            }
            await pause(300);
            const before = cpuMs(running);
            await pause(1_000);
            // A loop that asks again and again would take all of that second. Bun's own sockets do: nothing of ours can see it.
            if (runtime.name !== "bun" || kind === "uring") expect(cpuMs(running) - before).toBeLessThan(500);
            expect(await ask(good, answers, "meanwhile")).toBe("meanwhile");
            expect(running.child.exitCode).toBeNull();
            for (const peer of peers.splice(0)) peer.reset();
            await pause(100);
            expect(await ask(good, answers, "after")).toBe("after");
            if (isDeaf)
              console.warn(
                "NOT CHECKED: Deno's node:net accepts nobody any more after EMFILE, without a word",
              );
            else await exchangeAnew(url);
            good.send("exit");
            expect((await running.end()).code).toBe(0);
          } catch (error) {
            throw new Error(`${error}; the victim said: ${running.output.slice(-2_000)}`, { cause: error });
          } finally {
            for (const peer of peers) peer.reset();
            running.kill();
          }
        },
      );

      test.skipIf(!has("prlimit"))(
        "[shim.memory] without any lockable memory it serves, or says why not and falls back",
        async () => {
          // As nobody: root may lock memory whatever the limit says.
          const isRoot = process.getuid?.() === 0;
          const asNobody =
            isRoot && has("setpriv") ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
          const running = startVictim(
            ["which", kind === "uring" ? "auto" : "native"],
            ["prlimit", "--memlock=0:0", ...asNobody],
          );
          const outcome = await running.end();
          expect(outcome.output).toMatch(/transport (uring|native)/);
          if (kind === "uring" && outcome.output.includes("transport native")) {
            expect(outcome.output).toMatch(/reason .*(memory|RLIMIT_MEMLOCK|forbidden|libringwire)/);
          }
          expect(outcome.output).toContain("echo hello");
          expect(outcome.code).toBe(0);
        },
      );
    },
  );
}

/** Numbers of the calls, the same on every architecture that has io_uring; errno by name. */
const CALLS = { io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 } as const;
const ERRNOS = { EPERM: 1, ENOMEM: 12, EACCES: 13, EINVAL: 22, ENFILE: 23, EMFILE: 24, ENOSYS: 38 } as const;

describe.skipIf(process.platform !== "linux" || NO_URING !== undefined)("where io_uring fails", () => {
  let folder = "";
  let wrapper = "";
  let complaint: string | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ringwire-hostile-"));
    wrapper = join(folder, "refuse_call");
    try {
      const source = fileURLToPath(new URL("./programs/refuse_call.c", import.meta.url));
      execFileSync("cc", ["-O1", "-o", wrapper, source], { stdio: "pipe" });
    } catch (error) {
      complaint = String(error);
      console.warn(`SKIPPED: no C compiler for the seccomp tests: ${complaint}`);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [row, call, errno, reason] of [
    ["shim.forbidden", "io_uring_setup", "EPERM", /forbidden by seccomp/],
    ["shim.forbidden", "io_uring_setup", "EACCES", /forbidden by seccomp/],
    ["shim.forbidden", "io_uring_setup", "ENOSYS", /lacks io_uring/],
    ["shim.forbidden", "io_uring_setup", "EINVAL", /refuses io_uring/],
    ["shim.descriptors", "io_uring_setup", "EMFILE", /no file descriptor left/],
    ["shim.descriptors", "io_uring_setup", "ENFILE", /no file descriptor left/],
    ["shim.memory", "io_uring_setup", "ENOMEM", /RLIMIT_MEMLOCK/],
    ["shim.forbidden", "io_uring_register", "EPERM", /./],
    ["shim.memory", "io_uring_register", "ENOMEM", /./],
    ["shim.forbidden", "io_uring_enter", "EPERM", /./],
  ] as const) {
    test(`[${row}] ${call} failing with ${errno}: auto falls back to native sockets, works, and says why`, async (context) => {
      if (complaint !== undefined) context.skip();
      const before = [wrapper, `${CALLS[call]}`, `${ERRNOS[errno]}`];
      const outcome = await startVictim(["which", "auto"], before).end();
      expect(outcome.output).toContain("transport native");
      expect(/reason (.*)/.exec(outcome.output)?.[1]).toMatch(reason);
      expect(outcome.output).toContain("echo hello");
      expect(outcome.code).toBe(0);
      const asked = await startVictim(["which", "uring"], before).end();
      expect(asked.output).toMatch(/^RingwireError ERR_TRANSPORT_UNAVAILABLE /m);
      expect(asked.code).toBe(0);
    });
  }
});
