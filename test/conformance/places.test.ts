/** Where servers and clients can be: IPv4, IPv6, names, Unix sockets, shared ports, local addresses; and what drives them. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect, type Socket, serve } from "../../src/mod.ts";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };

/** Sends one message and waits for its echo. */
async function exchange(client: Socket): Promise<void> {
  client.send("hello");
  for await (const message of client) {
    expect(message.text()).toBe("hello");
    break;
  }
}

onEachTransport("places", (rig) => {
  test("IPv6 works", async () => {
    const server = await rig.serve({ hostname: "::1", websocket: echo });
    expect(server.url).toBe(`ws://[::1]:${server.port}/`);
    const client = await rig.connect(server);
    await exchange(client);
    expect(client.remoteAddress).toEqual({ family: "ipv6", host: "::1", port: server.port });
  });

  test("names are resolved, by servers and clients, and every address is tried", async () => {
    const server = await rig.serve({ hostname: "localhost", websocket: echo });
    await exchange(await rig.connect(`ws://localhost:${server.port}/`));
    const four = await rig.serve({ hostname: "127.0.0.1", websocket: echo });
    await exchange(await rig.connect(`ws://localhost:${four.port}/`));
  });

  test("a server on all addresses is reached at its url", async () => {
    const server = await rig.serve({ hostname: "0.0.0.0", websocket: echo });
    expect(server.url).toBe(`ws://127.0.0.1:${server.port}/`);
    expect(server.hostname).toBe("0.0.0.0");
    await exchange(await rig.connect(server));
  });

  test("Unix sockets work, their file goes away, and the path can be taken again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
    rig.after(() => rmSync(folder, { recursive: true, force: true }));
    const unix = join(folder, "feed.sock");
    for (let round = 0; round < 2; round++) {
      const paths: string[] = [];
      const server = await rig.serve({
        unix,
        fetch(request, it) {
          paths.push(new URL(request.url).pathname);
          it.upgrade(request);
          return undefined;
        },
        websocket: echo,
      });
      expect(server.port).toBe(0);
      expect(existsSync(unix)).toBe(true);
      await exchange(await rig.connect(server));
      await exchange(await rig.connect(`ws+unix:${unix}:/deep/path`));
      expect(paths).toEqual(["/", "/deep/path"]);
      await server.stop();
      expect(existsSync(unix)).toBe(false);
    }
  });

  test("a server's url leads to any path of a Unix socket, and to abstract names", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
    rig.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const unix of [join(folder, "a:b #1?.50%"), join(folder, "ä%20"), `\0${folder}:1`]) {
      const server = await rig.serve({ unix, websocket: echo });
      await exchange(await rig.connect(server));
    }
  });

  /** A Unix socket whose process was killed, and the folder that it lies in. */
  const leftBehind = (): { folder: string; unix: string } => {
    const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
    rig.after(() => rmSync(folder, { recursive: true, force: true }));
    const unix = join(folder, "feed.sock");
    const listenAndDie = `require("net").createServer().listen(${JSON.stringify(unix)}, () => process.kill(process.pid, 9))`;
    spawnSync("node", ["-e", listenAndDie]);
    return { folder, unix };
  };

  test("a Unix socket that a killed process has left behind is taken over; one in use, and other files, are not", async () => {
    const { folder, unix } = leftBehind();
    expect(statSync(unix).isSocket()).toBe(true);
    await exchange(await rig.connect(await rig.serve({ unix, websocket: echo })));

    const inUse = { name: "RingwireError", code: "ERR_ADDRESS_IN_USE" };
    await expect(rig.serve({ unix, websocket: echo })).rejects.toMatchObject(inUse);
    const abstract = `\0${unix}`;
    await rig.serve({ unix: abstract, websocket: echo });
    await expect(rig.serve({ unix: abstract, websocket: echo })).rejects.toMatchObject(inUse);
    await exchange(await rig.connect(`ws+unix:${unix}:/`));

    const file = join(folder, "precious");
    writeFileSync(file, "text");
    await expect(rig.serve({ unix: file, websocket: echo })).rejects.toMatchObject(inUse);
    expect(readFileSync(file, "utf8")).toBe("text");
  });

  test("a Unix socket without a folder is an address that is not there, and to connect, one where nobody listens", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
    rig.after(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, "file"), "");
    for (const unix of [join(folder, "none", "feed.sock"), join(folder, "file", "feed.sock")]) {
      const listening = rig.serve({ unix, websocket: echo });
      await expect(listening).rejects.toMatchObject({ code: "ERR_ADDRESS_NOT_AVAILABLE" });
      await expect(listening).rejects.toThrow(`Cannot listen on ${unix}: there is no such folder (ENO`);
      const connecting = rig.connect(`ws+unix:${unix}:/`);
      await expect(connecting).rejects.toMatchObject({ code: "ERR_CONNECTION_REFUSED" });
    }
  });

  test("of several servers that find the same Unix socket left behind, one takes it over", async () => {
    const { unix } = leftBehind();
    const outcomes = await Promise.all(
      [1, 2, 3].map(() =>
        rig.serve({ unix, websocket: echo }).then(
          () => "listens",
          (error) => error.code,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual(["ERR_ADDRESS_IN_USE", "ERR_ADDRESS_IN_USE", "listens"]);
    await exchange(await rig.connect(`ws+unix:${unix}:/`));
  });

  test("a port is shared by those who all ask for it, and by nobody else", async () => {
    const reusePort = true;
    const first = await rig.serve({ reusePort, websocket: echo }).catch(({ code }: { code: string }) => code);
    // Node's own sockets can since 23.1; before that, it is said.
    if (typeof first === "string") {
      expect([rig.kind, first]).toEqual(["native", "ERR_UNSUPPORTED"]);
      return;
    }
    const { port } = first;
    const second = await rig.serve({ reusePort, port, websocket: echo });
    expect(second.port).toBe(port);
    await expect(rig.serve({ port, websocket: echo })).rejects.toMatchObject({ code: "ERR_ADDRESS_IN_USE" });
    // The kernel chooses; that one of two is never chosen in 48 times, is no chance.
    const clients = await Promise.all(Array.from({ length: 48 }, () => rig.connect(first)));
    for (const client of clients) await exchange(client);
    expect([first.connections > 0, second.connections > 0]).toEqual([true, true]);
    expect(first.connections + second.connections).toBe(48);
  });

  test("a client connects from the local address it was given", async () => {
    const server = await rig.serve({ websocket: {} });
    const client = await rig.connect(server, { localAddress: "127.0.0.2" }).catch((error: unknown) => error);
    // Not every runtime's own sockets can: then it is said, not ignored.
    if (client instanceof Error) expect(client).toMatchObject({ code: "ERR_UNSUPPORTED" });
    else expect((client as Socket).localAddress?.host).toBe("127.0.0.2");
  });

  test("the drives auto and spin serve", async () => {
    for (const drive of ["auto", "spin"] as const) {
      const loop = rig.newLoop({ drive });
      const server = await rig.serve({ loop, websocket: echo });
      await exchange(await rig.connect(server, { loop }));
      await server.stop();
    }
  });

  test("a manual loop does nothing until it is polled, deadlines included", async () => {
    if (rig.kind === "native") {
      for (const drive of ["manual", "run"] as const) {
        expect(() => rig.newLoop({ drive })).toThrow(
          expect.objectContaining({ code: "ERR_DRIVE_UNAVAILABLE" }),
        );
      }
      return;
    }
    const loop = rig.newLoop({ drive: "manual" });
    const journal = new Journal();
    const server = await serve({ loop, port: 0, hostname: "127.0.0.1", websocket: echo });
    const opening = connect(server.url, {
      loop,
      websocket: { ...journal.handlers(), pingIntervalMs: 30 },
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(journal.kinds).toEqual([]);
    while (journal.sockets.length === 0) loop.poll(1_000);
    const client = await opening;
    client.send("polled");
    while (journal.messages.length === 0) loop.poll(1_000);
    expect(journal.messages).toEqual(["polled"]);
    // Held messages come in a poll as well, not in a microtask.
    client.pause();
    client.send("held");
    for (let round = 0; round < 20; round++) loop.poll(1_000);
    client.resume();
    await Promise.resolve();
    expect(journal.messages.length).toBe(1);
    while (journal.messages.length < 2) loop.poll(1_000);
    while (journal.of("pong").length < 2) loop.poll(5_000);
    expect(() => loop.run()).toThrow(expect.objectContaining({ code: "ERR_DRIVE_UNAVAILABLE" }));
    loop.close();
    expect(client.state).toBe("closed");
    await server.stop();
  });

  test("an auto loop is neither polled nor run", () => {
    expect(() => rig.loop.poll()).toThrow(expect.objectContaining({ code: "ERR_DRIVE_UNAVAILABLE" }));
    expect(() => rig.loop.run()).toThrow(expect.objectContaining({ code: "ERR_DRIVE_UNAVAILABLE" }));
  });

  test("the loop says which transport it uses, and why", () => {
    expect(rig.loop.transport).toBe(rig.kind);
    expect(rig.loop.reason.length).toBeGreaterThan(10);
    if (rig.kind === "uring") expect(rig.loop.reason).toMatch(/kernel \d/);
  });

  test("closing a loop closes every socket and tells it", async () => {
    const loop = rig.newLoop();
    const journal = new Journal();
    const { client } = await rig.pair(journal.handlers(), {}, { server: loop, client: loop });
    loop.close();
    expect(journal.of("close").length).toBe(1);
    expect(client.state).toBe("closed");
    expect(await client.closed).toMatchObject({ code: 1006, wasClean: false });
  });

  test("sockets of two loops talk to each other", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(
      journal.handlers(),
      {},
      { server: rig.newLoop(), client: rig.newLoop() },
    );
    client.send("across");
    await journal.see("message");
    expect(journal.messages).toEqual(["across"]);
  });
});
