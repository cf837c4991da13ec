/** Over TLS a recording holds what was encrypted, plain, and its replay needs no certificates. */

import { expect, test } from "vitest";
import { connect, Loop } from "../../src/mod.ts";
import { Recorder, Recording, Replay } from "../../src/record/mod.ts";
import { clientTls, onEachSecureTransport, serverTls } from "../conformance/secure.ts";
import { scratchPath } from "./scratch.ts";

onEachSecureTransport("recording", (rig) => {
  test("what TLS has carried is replayed without it", async () => {
    const path = scratchPath();
    const server = await rig.serve({
      tls: serverTls(),
      websocket: { open: (ws) => void ws.send("secret news"), message: (ws) => void ws.close(4001) },
    });
    const recorder = new Recorder(path);
    const live = await rig.connect(server, { tls: clientTls(), record: recorder });
    for await (const message of live) live.send(`got ${message.text()}`);
    await recorder.close();
    using recording = new Recording(path);
    const [open] = [...recording].filter(({ kind }) => kind === "open");
    expect(open.facts()).toMatchObject({ url: server.url, tls: "TLSv1.3" });

    const replay = new Replay(path);
    using loop = new Loop({ transport: replay });
    const socket = await connect(server.url, { loop });
    for await (const message of socket) expect(message.text()).toBe("secret news");
    expect(await socket.closed).toMatchObject({ code: 4001, wasClean: true });
    expect(await replay.finished).toMatchObject({ incomplete: 0 });
  });
});
