/** Whole processes: they end by themselves, survive bad handlers, and fall back where io_uring is forbidden. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { startProgram } from "./processes.ts";
import { NO_URING } from "./rig.ts";

for (const kind of ["uring", "native"] as const) {
  describe.skipIf(kind === "uring" && NO_URING !== undefined)(`a process over ${kind}`, () => {
    test("ends by itself when its client and server are closed", async () => {
      const outcome = await startProgram("scenes.mjs", ["closes", kind]).end();
      expect(outcome.output).toBe("echo hello\ndone\n");
      expect(outcome.code).toBe(0);
    });

    test("stays alive while it listens", async () => {
      const running = startProgram("scenes.mjs", ["stays", kind]);
      await running.see(/listening \d+/);
      expect((await running.end(400)).code).toBeNull();
    });

    test("ends by itself when a connect is refused", async () => {
      const outcome = await startProgram("scenes.mjs", ["failsConnecting", kind]).end();
      expect(outcome.output).toBe("RingwireError ERR_CONNECTION_REFUSED\n");
      expect(outcome.code).toBe(0);
    });

    test.each(runtime.name === "deno" ? ["process.exit", "Deno.exit"] : ["process.exit"])(
      "says what a handler has sent although it ends the process with %s",
      async (way) => {
        const running = startProgram("scenes.mjs", ["exits", kind]);
        const [, port] = await running.see(/listening (\d+)/);
        const messages: unknown[] = [];
        const socket = await connect(`ws://127.0.0.1:${port}/`, {
          websocket: { message: (_, data) => void messages.push(data) },
        });
        socket.send(way);
        await socket.closed;
        expect(messages).toEqual(["goodbye"]);
        expect((await running.end()).code).toBe(3);
      },
    );

    test.each(["in a handler", "from a timer"])(
      "sends what a listener for its end sends, and closes, when it ends %s",
      async (way) => {
        const running = startProgram("scenes.mjs", ["exitsLate", kind]);
        const [, port] = await running.see(/listening (\d+)/);
        const messages: string[] = [];
        const socket = await connect(`ws://127.0.0.1:${port}/`, {
          websocket: { message: (_, data) => void messages.push(String(data).trim()) },
        });
        socket.send(way);
        const { code } = await socket.closed;
        expect(messages).toEqual(Array.from({ length: 20 }, (_, count) => `${count}`));
        expect(code).toBe(4000);
        expect((await running.end()).code).toBe(3);
      },
    );

    test("serves one port from several threads, each with a loop of its own", async () => {
      const { output, code } = await startProgram("threads.mjs", [kind]).end();
      // Node's own sockets can share a port since 23.1; before that, it is said.
      if (output !== "ERR_UNSUPPORTED\n" || kind === "uring") {
        expect(output).toBe("3 threads answered 48 connections\ndone\n");
      }
      expect(code).toBe(0);
    });

    test("survives handlers that throw and reject", async () => {
      const outcome = await startProgram("scenes.mjs", ["survivesHandlers", kind]).end();
      expect(outcome.output).toContain("thrown on purpose");
      expect(outcome.output).toContain("closed 1011");
      expect(outcome.code).toBe(0);
    });
  });
}

test.skipIf(NO_URING !== undefined)(
  "a loop that is run blocks its thread and keeps its deadlines",
  async () => {
    const outcome = await startProgram("scenes.mjs", ["runs", "uring"]).end();
    expect(outcome.output).toBe("run 100 echoes, 2 pongs\n");
    expect(outcome.code).toBe(0);
  },
);

test("a program whose shim is missing uses native sockets and says why", async () => {
  const environment = { RINGWIRE_LIBRARY: "/nonexistent/libringwire.so" };
  const outcome = await startProgram("scenes.mjs", ["which", "auto"], environment).end();
  expect(outcome.output).toContain("transport native");
  expect(outcome.output).toMatch(/reason .*\/nonexistent\/libringwire\.so/);
  expect(outcome.output).toContain("echo hello");
  expect(outcome.code).toBe(0);
});

test("RINGWIRE_TRANSPORT chooses the transport, and a wrong one is refused by name", async () => {
  const native = await startProgram("scenes.mjs", ["which"], { RINGWIRE_TRANSPORT: "native" }).end();
  expect(native.output).toContain("transport native");
  expect(native.output).toContain("asked for");
  const wrong = await startProgram("scenes.mjs", ["which"], { RINGWIRE_TRANSPORT: "epoll" }).end();
  expect(wrong.output).toMatch(/TypeError .*"RINGWIRE_TRANSPORT" .*"auto", "uring", "native", not "epoll"/);
});

describe.skipIf(process.platform !== "linux")("where io_uring is forbidden by seccomp", () => {
  let folder = "";
  let wrapper = "";
  let complaint: string | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ringwire-seccomp-"));
    wrapper = join(folder, "no_io_uring");
    try {
      const source = fileURLToPath(new URL("./programs/no_io_uring.c", import.meta.url));
      execFileSync("cc", ["-O1", "-o", wrapper, source], { stdio: "pipe" });
    } catch (error) {
      complaint = String(error);
      console.warn(`SKIPPED: no C compiler for the seccomp test: ${complaint}`);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("auto falls back to native sockets, works, and says why", async (context) => {
    if (complaint !== undefined) context.skip();
    const outcome = await startProgram("scenes.mjs", ["which", "auto"], {}, [wrapper]).end();
    expect(outcome.output).toContain("transport native");
    expect(outcome.output).toMatch(/reason .*io_uring forbidden by seccomp/);
    expect(outcome.output).toContain("echo hello");
    expect(outcome.code).toBe(0);
  });

  test('transport: "uring" throws ERR_TRANSPORT_UNAVAILABLE with the reason', async (context) => {
    if (complaint !== undefined) context.skip();
    const outcome = await startProgram("scenes.mjs", ["which", "uring"], {}, [wrapper]).end();
    expect(outcome.output).toMatch(/^RingwireError ERR_TRANSPORT_UNAVAILABLE .*forbidden by seccomp/);
    expect(outcome.code).toBe(0);
  });
});
