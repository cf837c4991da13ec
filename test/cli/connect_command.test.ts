/** `ringwire connect`, from outside: lines in, lines out, exit codes. */
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Loop, type ServeOptions, type Server, type Socket, serve } from "../../src/mod.ts";
import { missing } from "../uring/open_test_transport.ts";
import { killPrograms, runCli, runEchoed, startCli } from "./child_program.ts";

const servers: Server<string>[] = [];
const loops: Loop[] = [];

afterEach(async () => {
  killPrograms();
  for (const server of servers.splice(0)) await server.stop({ graceMs: 100 });
  for (const loop of loops.splice(0)) loop.close();
});

async function startServer(
  websocket: ServeOptions<string>["websocket"],
  options: Partial<ServeOptions<string>> = {},
): Promise<string> {
  const loop = new Loop();
  loops.push(loop);
  const server = await serve<string>({ loop, port: 0, hostname: "127.0.0.1", websocket, ...options });
  servers.push(server);
  return server.url;
}

for (const transport of ["uring", "native"] as const) {
  describe.skipIf(transport === "uring" && missing !== undefined)(`connect over ${transport}`, () => {
    test("sends each line of a pipe and prints each answer", async () => {
      const url = await startServer({
        message(ws, data) {
          ws.send(data);
          if (data === "last without end") ws.close(1000);
        },
      });
      const words = ["connect", url, "--transport", transport, "--wait", "10000"];
      const outcome = await runCli(words, "hello\r\nwörld\n\nlast without end");
      expect(outcome).toEqual({
        code: 0,
        stdout: "hello\nwörld\n\nlast without end\n",
        stderr: "closed 1000\n",
      });
    });

    test("100,000 lines come back whole and in order", async () => {
      const url = await startServer({ message: (ws, data) => void ws.send(data) });
      const lines = Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join("");
      const { code, stdout } = await runCli(["connect", url, "--transport", transport], lines);
      expect(code).toBe(0);
      expect(stdout === lines).toBe(true);
    });
  });
}

test("waits for an answer that comes late, as long as --wait says", async () => {
  const url = await startServer({
    message(ws, data) {
      setTimeout(() => {
        ws.send(`late ${data}`);
        ws.close(1000);
      }, 300);
    },
  });
  const patient = await runCli(["connect", url, "--wait", "10000"], "answer\n");
  expect(patient).toMatchObject({ code: 0, stdout: "late answer\n" });
  const silent = await startServer({});
  expect(await runCli(["connect", silent, "--wait", "0"], "answer\n")).toMatchObject({ code: 0, stdout: "" });
});

test("binary messages are printed by size and in hexadecimal", async () => {
  const url = await startServer({ open: (ws) => void ws.send(new Uint8Array([104, 105])) });
  expect((await runCli(["connect", url, "--wait", "100"])).stdout).toBe("<2 bytes> 6869\n");
});

test("headers and subprotocols reach the server", async () => {
  const url = await startServer(
    { open: (ws) => void ws.send(`${ws.data} ${ws.protocol}`) },
    {
      fetch(request, server) {
        const data = `${request.headers.get("x-one")} ${request.headers.get("x-two")}`;
        return server.upgrade(request, { data, protocol: "b" }) ? undefined : new Response("?");
      },
    },
  );
  const headers = ["--header", "X-One: 1", "--header", "x-two: 2: 3"];
  const words = ["connect", url, ...headers, "--protocol", "a", "--protocol", "b", "--wait", "100"];
  expect((await runCli(words)).stdout).toBe("1 2: 3 b\n");
});

test("--compression is offered, and standard error tells what came of it", async () => {
  const answers = {
    compression: { thresholdBytes: 0 },
    message: (ws: Socket<string>, data: string | Uint8Array) => void ws.send(data),
  };
  const words = ["--compression", "shared", "--threshold", "0"];
  const compressing = await runEchoed([await startServer(answers), ...words], "hello\nhello\n");
  expect(compressing).toMatchObject({ code: 0, stdout: "hello\nhello\n" });
  expect(compressing.stderr).toMatch(
    /^connected over \w+, permessage-deflate; server_no_context_takeover; client_no_context_takeover\nclosed 1000\n$/,
  );
  const declining = await runCli(["connect", await startServer({}), ...words], "");
  expect(declining.stderr).toMatch(
    /^connected over \w+, no compression: the server declines it\nclosed 1000\n$/,
  );
  expect(await runCli(["connect", "ws://127.0.0.1:1", "--compression", "zip"])).toMatchObject({ code: 2 });
});

test("a close by the server ends it while the input is still open, with the code and reason", async () => {
  const url = await startServer({ message: (ws) => ws.close(4000, "enough") });
  const program = startCli(["connect", url]);
  program.write("hello\n");
  expect(await program.ended).toEqual({ code: 1, stdout: "", stderr: "closed 4000 enough\n" });
});

test("a server that goes away is an orderly end", async () => {
  const url = await startServer({ message: (ws) => ws.close(1001) });
  const program = startCli(["connect", url]);
  program.write("hello\n");
  expect(await program.ended).toEqual({ code: 0, stdout: "", stderr: "closed 1001\n" });
});

test("a connection that breaks is an error with its code", async () => {
  const url = await startServer({ message: (ws) => ws.terminate() });
  const program = startCli(["connect", url]);
  program.write("hello\n");
  const { code, stderr } = await program.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^ringwire: ERR_CONNECTION_\w+: [^\n]+\nclosed 1006/);
});

test("whoever reads the output slowly slows the server down", async () => {
  const line = "x".repeat(9_999);
  const LAST_BYTE = 300_000_000;
  let sentBytes = 0;
  const pump = (ws: Socket<string>): void => {
    while (sentBytes < LAST_BYTE && ws.send(line) === "sent") sentBytes += 10_000;
  };
  const url = await startServer({ maxBufferedBytes: 1 << 20, open: pump, drain: pump });
  const program = startCli(["connect", url]);
  program.pauseOutput();
  await expect.poll(() => sentBytes, { timeout: 30_000 }).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const afterAWhile = sentBytes;
  // What the kernel's buffers and ours hold; unlimited it would be all of it.
  expect(afterAWhile).toBeLessThan(100_000_000);
  program.resumeOutput();
  await expect.poll(() => sentBytes, { timeout: 30_000 }).toBeGreaterThan(afterAWhile + 10_000_000);
});

test("SIGINT closes the connection properly", async () => {
  let closedWith = 0;
  const url = await startServer({
    open: (ws) => void ws.send("welcome"),
    close(_ws, code) {
      closedWith = code;
    },
  });
  const program = startCli(["connect", url]);
  await program.output(/welcome\n/);
  program.signal("SIGINT");
  expect(await program.ended).toMatchObject({ code: 0, stderr: "closed 1000\n" });
  await expect.poll(() => closedWith, { timeout: 30_000 }).toBe(1000);
});

test("a refused connection is one line with its code, and no stack", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  for (const transport of missing === undefined ? ["uring", "native"] : ["native"]) {
    const outcome = await runCli(["connect", `ws://127.0.0.1:${port}`, "--transport", transport]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/^ringwire: ERR_CONNECTION_REFUSED: Cannot connect to [^\n]+\n$/);
  }
});

test("a handshake that the server refuses is told with its status", async () => {
  const url = await startServer({}, { fetch: () => new Response("no", { status: 404 }) });
  const outcome = await runCli(["connect", url]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/^ringwire: ERR_HANDSHAKE_REFUSED: [^\n]*404[^\n]*\n$/);
});

test("an unknown host is told by code", async () => {
  const outcome = await runCli(["connect", "ws://does-not-exist.invalid"]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toMatch(/^ringwire: ERR_HOST_NOT_FOUND: [^\n]+\n$/);
});
