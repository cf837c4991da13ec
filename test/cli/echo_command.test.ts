/** `ringwire echo`, from outside: what it prints, what it echoes, how it ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/mod.ts";
import { missing } from "../uring/open_test_transport.ts";
import { killPrograms, runCli, runEchoed, startCli } from "./child_program.ts";

afterEach(killPrograms);

const READY = /^listening (ws:\/\/127\.0\.0\.1:\d+) transport=(uring|native) drive=(auto|spin) \((.+)\)\n$/;

for (const transport of ["uring", "native"] as const) {
  describe.skipIf(transport === "uring" && missing !== undefined)(`echo over ${transport}`, () => {
    test("prints one line when ready, echoes text and binary, and ends on SIGTERM", async () => {
      const echo = startCli(["echo", "--port", "0", "--transport", transport]);
      const [, url, used, drive] = await echo.output(READY);
      expect([used, drive]).toEqual([transport, "auto"]);
      const socket = await connect(url);
      const big = "wörld ".repeat(200_000);
      socket.send(big);
      socket.send(new Uint8Array([1, 2, 3]));
      const messages = socket[Symbol.asyncIterator]();
      const text = (await messages.next()).value;
      expect(text?.isText).toBe(true);
      expect(text?.text() === big).toBe(true);
      expect((await messages.next()).value?.value).toEqual(new Uint8Array([1, 2, 3]));
      echo.signal("SIGTERM");
      expect(await socket.closed).toMatchObject({ code: 1001, wasClean: true });
      const { code, stderr, stdout } = await echo.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(READY);
    });

    test("ends on SIGINT without any connection", async () => {
      const echo = startCli(["echo", "--port", "0", "--transport", transport, "--drive", "spin"]);
      expect((await echo.output(READY))[3]).toBe("spin");
      echo.signal("SIGINT");
      expect(await echo.ended).toMatchObject({ code: 0, stderr: "" });
    });

    test("a message above --max-message closes with 1009", async () => {
      const echo = startCli(["echo", "--port", "0", "--transport", transport, "--max-message", "1000"]);
      const socket = await connect((await echo.output(READY))[1]);
      socket.send("x".repeat(1_001));
      expect(await socket.closed).toMatchObject({ code: 1009 });
    });

    test("a message of 65,536 fragments comes back, as Autobahn's case 9.3.1 asks", async () => {
      const echo = startCli(["echo", "--port", "0", "--transport", transport]);
      const socket = await connect((await echo.output(READY))[1], { websocket: { fragmentBytes: 64 } });
      const big = "0123456789abcdef".repeat(1 << 18);
      socket.send(big);
      const message = (await socket[Symbol.asyncIterator]().next()).value;
      expect(message?.text() === big).toBe(true);
      await socket.close();
    });

    for (const mode of ["shared", "dedicated"]) {
      test(`--compression ${mode} speaks permessage-deflate with clients that offer it, and the ready line says so`, async () => {
        const words = ["--port", "0", "--transport", transport, "--compression", mode, "--threshold", "0"];
        const echo = startCli(["echo", ...words]);
        const [line, url] = await echo.output(/^listening (ws:\S+) transport=.+\n$/);
        expect(line).toContain(` drive=auto compression=${mode} (`);
        const offering = await connect(url, {
          websocket: { compression: { mode: "dedicated", thresholdBytes: 0 } },
        });
        expect(offering.extensions).toMatch(/^permessage-deflate/);
        expect(offering.extensions.includes("no_context_takeover")).toBe(mode === "shared");
        const plain = await connect(url);
        expect(plain.extensions).toBe("");
        for (const socket of [offering, plain]) {
          for (const text of ["", "a", "wörld ".repeat(10_000)]) {
            socket.send(text);
            const message = (await socket[Symbol.asyncIterator]().next()).value;
            expect(message?.text() === text).toBe(true);
          }
          socket.close();
          await socket.closed;
        }
      });
    }

    test("listens on a Unix socket", async () => {
      const folder = mkdtempSync(join(tmpdir(), "ringwire-echo-"));
      const path = join(folder, "echo.sock");
      const echo = startCli(["echo", "--unix", path, "--transport", transport]);
      const [, url] = await echo.output(/^listening (ws\+unix:\S+) transport/);
      expect(await runEchoed([url], "over a path\n")).toMatchObject({ code: 0, stdout: "over a path\n" });
      echo.signal("SIGTERM");
      expect((await echo.ended).code).toBe(0);
      rmSync(folder, { recursive: true });
    });

    test("a port in use is told by code and advice, with exit code 1", async () => {
      const echo = startCli(["echo", "--port", "0", "--transport", transport]);
      const port = new URL((await echo.output(READY))[1]).port;
      const second = await runCli(["echo", "--port", port, "--transport", transport]);
      expect(second).toMatchObject({ code: 1, stdout: "" });
      expect(second.stderr).toMatch(/^ringwire: ERR_ADDRESS_IN_USE: Cannot listen on [^\n]+\n$/);
    });
  });
}

test("a host that this machine does not have is told by code, with exit code 1", async () => {
  const outcome = await runCli(["echo", "--port", "0", "--host", "192.0.2.1"]);
  expect(outcome).toMatchObject({ code: 1, stdout: "" });
  expect(outcome.stderr).toMatch(/^ringwire: ERR_ADDRESS_NOT_AVAILABLE: [^\n]+\n$/);
});

test("io_uring asked for without a shim is an error that says what to do", async () => {
  const environment = { RINGWIRE_LIBRARY: "/nowhere/libringwire.so" };
  const outcome = await runCli(["echo", "--port", "0", "--transport", "uring"], "", environment);
  expect(outcome).toMatchObject({ code: 1, stdout: "" });
  expect(outcome.stderr).toMatch(/^ringwire: ERR_LIBRARY: Cannot load the shim "\/nowhere\/[^\n]+\n$/);
});

test("without a shim it runs over native sockets and says why", async () => {
  const echo = startCli(["echo", "--port", "0"], { RINGWIRE_LIBRARY: "/nowhere/libringwire.so" });
  const [, , used, , reason] = await echo.output(READY);
  expect(used).toBe("native");
  expect(reason).toContain("/nowhere/libringwire.so");
});
