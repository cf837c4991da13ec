/** What a service promises when all goes well, and when a program uses it wrongly. Its faults are in faults.test.ts. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test } from "vitest";
import {
  connect,
  type Endpoint,
  type EndpointOptions,
  Loop,
  RingwireError,
  type ServeOptions,
  type Server,
  Service,
} from "../../src/mod.ts";
import { nodeProgram, Running } from "../conformance/processes.ts";
import { onEachTransport, type Rig } from "../conformance/rig.ts";
import { EndpointJournal } from "./journal.ts";

/** A server in a process of its own, which goes on while this thread is blocked. */
const EXCHANGE = new URL("peers/exchange.mjs", import.meta.url).pathname;

/** A service that ends with the test. */
function newService<Context = undefined>(rig: Rig, context?: Context): Service<Context> {
  const service = new Service<Context>({ loop: rig.loop, ...(context === undefined ? {} : { context }) });
  rig.after(() => service.close());
  return service;
}

const ECHO: ServeOptions<undefined> = { websocket: { message: (ws, data) => void ws.send(data) } };

onEachTransport("service", (rig) => {
  test("connects an endpoint, gives every handler the context, and ws.data is the endpoint", async () => {
    const server = await rig.serve(ECHO);
    const context = { seen: [] as unknown[] };
    const service = newService(rig, context);
    const done = new Promise<void>((resolve) => {
      const endpoint: Endpoint<typeof context> = service.add({
        url: server.url,
        websocket: {
          open: (ws, given) => {
            given.seen.push(ws.data === endpoint, "open");
            ws.send("a");
            ws.ping("p");
          },
          message: (_ws, data, isText, given) => void given.seen.push(data, isText),
          pong: (ws, payload, given) => {
            given.seen.push(payload.length);
            ws.close(4000, "enough");
          },
          close: (_ws, code, reason, wasClean, given) => void given.seen.push(code, reason, wasClean),
        },
        closed: (reason, given, closed) => {
          given.seen.push(reason.kind, closed === endpoint);
          resolve();
        },
      });
    });
    await done;
    expect(context.seen).toEqual([true, "open", "a", true, 1, 4000, "enough", true, "local", true]);
  });

  test("hands batches over with the context", async () => {
    const server = await rig.serve({
      websocket: { open: (ws) => void [1, 2, 3].map((n) => ws.send(`${n}`)) },
    });
    const service = newService(rig, { texts: [] as string[] });
    await new Promise<void>((resolve) => {
      service.add({
        url: server.url,
        websocket: {
          batch: (_ws, messages, { texts }) => {
            for (const message of messages) texts.push(message.text());
            if (texts.length === 3) resolve();
          },
        },
      });
    });
    expect(service.context.texts).toEqual(["1", "2", "3"]);
  });

  test("keeps messages of a WebSocket without a message handler for iteration", async () => {
    const server = await rig.serve({ websocket: { open: (ws) => void ws.send("hello") } });
    const service = newService(rig);
    const first = await new Promise<string>((resolve) => {
      service.add({
        url: server.url,
        websocket: {
          open: async (ws) => {
            for await (const message of ws) resolve(message.text());
          },
        },
      });
    });
    expect(first).toBe("hello");
  });

  test("dispatches to an endpoint that is open, and only then", async () => {
    const server = await rig.serve(ECHO);
    const journal = new EndpointJournal();
    const service = newService(rig);
    const endpoint = service.add(journal.options(server.url));
    expect(endpoint.state).toBe("connecting");
    expect(service.dispatch(endpoint, () => 1)).toBeUndefined();
    await journal.see("open");
    expect(endpoint.state).toBe("open");
    expect(service.dispatch(endpoint, (ws, context) => [ws.send("order"), context])).toEqual([
      "sent",
      undefined,
    ]);
    await journal.see("message");
    expect(journal.messages).toEqual(["order"]);
  });

  test("is iterated in the order of adding, and says how many it has", async () => {
    const server = await rig.serve(ECHO);
    const service = newService(rig);
    const added = [1, 2, 3].map(() => service.add({ url: server.url }));
    expect(service.size).toBe(3);
    expect([...service]).toEqual(added);
    await service.remove(added[1]!);
    expect([...service]).toEqual([added[0], added[2]]);
    expect(added[1]!.state).toBe("removed");
  });

  test("connects 200 endpoints at once", async () => {
    let atOnce = 0;
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server: Server = await rig.serve({
      // Nobody is let in before everybody is there.
      fetch: async (request, self) => {
        if (++atOnce === 200) release();
        await all;
        if (!self.upgrade(request)) return new Response(null, { status: 400 });
        return undefined;
      },
      websocket: {},
    });
    const journal = new EndpointJournal();
    const service = newService(rig);
    for (let index = 0; index < 200; index++) service.add(journal.options(server.url));
    // Not one per turn: each is under way before `add` returns.
    expect([...service].every((endpoint) => endpoint.attempts === 1)).toBe(true);
    await journal.see("open", 200);
    expect(atOnce).toBe(200);
    expect([...service].every((endpoint) => endpoint.attempts === 1)).toBe(true);
  });

  test("asks for the URL anew for each attempt, also where that takes a promise, and resolves it anew", async () => {
    const server = await rig.serve({ websocket: { message: (ws) => void ws.close(4001, "next") } });
    const journal = new EndpointJournal();
    const service = newService(rig);
    const asked: number[] = [];
    const endpoint = service.add(
      journal.options(
        async () => {
          asked.push(asked.length);
          await new Promise((resolve) => setTimeout(resolve, 1));
          return `ws://localhost:${server.port}/${asked.length}`;
        },
        { websocket: { open: (ws) => void ws.send("go on") } },
      ),
    );
    await journal.see("open", 3);
    expect(asked.length).toBe(3);
    expect(journal.of("open").map(({ ws }) => new URL(ws.url).pathname)).toEqual(["/1", "/2", "/3"]);
    expect(endpoint.url).toBe(`ws://localhost:${server.port}/3`);
    expect(journal.reasons.slice(0, 2)).toMatchObject([
      { kind: "closed", close: { code: 4001, reason: "next", wasClean: true }, error: undefined },
      { kind: "closed" },
    ]);
  });

  test("sends its header fields with each attempt, also those that can be iterated only once", async () => {
    const seen: unknown[] = [];
    const server = await rig.serve({
      fetch(request, self) {
        seen.push(request.headers.get("x-key"));
        return self.upgrade(request) ? undefined : new Response(null, { status: 400 });
      },
      websocket: { open: (ws) => void ws.close(4001) },
    });
    const journal = new EndpointJournal();
    newService(rig).add(journal.options(server.url, { headers: new Map([["x-key", "secret"]]).entries() }));
    await journal.see("open", 3);
    expect(seen.slice(0, 3)).toEqual(["secret", "secret", "secret"]);
  });

  test("takes a url that throws, rejects, or is none for a failed attempt, and does not quote passwords", async () => {
    const server = await rig.serve(ECHO);
    const journal = new EndpointJournal();
    const service = newService(rig);
    const answers = [
      () => {
        throw new Error("no directory");
      },
      () => Promise.reject(new Error("no directory either")),
      () => "mailto:somebody",
      () => undefined as unknown as string,
      () => `ws://user:secret@127.0.0.1:${server.port}/`,
    ];
    const endpoint = service.add(journal.options(() => answers[endpointAttempts++]!() as string));
    await journal.see("open");
    expect(journal.reasons.map(({ kind, error }) => [kind, error?.code])).toEqual(
      new Array(4).fill(["connect", "ERR_HANDLER"]),
    );
    expect(journal.reasons[0]!.error).toMatchObject({
      message: "url() threw: no directory",
      cause: { message: "no directory" },
    });
    // Where it would have gone to nobody knows, or that is no URL of a WebSocket.
    expect(journal.reasons.map(({ url }) => url)).toEqual(["", "", "mailto:somebody", "undefined"]);
    expect(endpoint.url).toBe(`ws://127.0.0.1:${server.port}/`);
  });
  let endpointAttempts = 0;

  test("gives a url that never answers connectTimeoutMs", async () => {
    const journal = new EndpointJournal();
    const service = newService(rig);
    service.add(journal.options(() => new Promise<string>(() => undefined), { connectTimeoutMs: 30 }));
    const { reason } = await journal.see("closed");
    expect([reason.kind, reason.error?.code]).toEqual(["connect", "ERR_CONNECTION_TIMEOUT"]);
    await journal.see("closed", 2);
  });

  test("removes an endpoint in every state, with one last closed", async () => {
    const server = await rig.serve(ECHO);
    const hanging = await rig.rawServer(() => undefined);
    for (const [url, state] of [
      [server.url, "open"],
      [hanging.url, "connecting"],
      ["ws://127.0.0.1:1/", "waiting"],
    ] as const) {
      const journal = new EndpointJournal();
      const service = newService(rig);
      const endpoint = service.add(journal.options(url, { reconnect: { initialMs: 60_000, maxMs: 60_000 } }));
      while (endpoint.state !== state) await new Promise((resolve) => setTimeout(resolve, 1));
      await service.remove(endpoint);
      expect(journal.reasons.map(({ kind }) => kind)).toEqual(
        state === "waiting" ? ["connect", "removed"] : ["removed"],
      );
      expect(endpoint.state).toBe("removed");
      expect(() => service.dispatch(endpoint, () => 1)).toThrow(TypeError);
      expect(() => service.remove(endpoint)).toThrow(TypeError);
    }
  });

  test("stays removed when a callback of its own removes it, whichever that is", async () => {
    const server = await rig.serve(ECHO);
    const nobody = "ws://127.0.0.1:1/";
    let beats = 0;
    type Removal = (remove: () => true) => EndpointOptions<undefined>;
    const removals: [Removal, string[]][] = [
      [(remove) => ({ url: () => remove() && server.url }), []],
      [(remove) => ({ url: async () => remove() && server.url }), []],
      [(remove) => ({ url: nobody, canRecreate: remove }), ["connect"]],
      [(remove) => ({ url: nobody, closed: remove }), ["connect"]],
      [(remove) => ({ url: server.url, ttlMs: 1, canAutoDisconnect: remove }), []],
      [
        (remove) => ({
          url: server.url,
          ttlMs: 1,
          makeBeforeBreak: false,
          canAutoDisconnect: () => remove(),
        }),
        [],
      ],
      [
        (remove) => ({
          url: server.url,
          // Once: not after the question that has removed it.
          heartbeat: { intervalMs: 1, send: () => void beats++, isAlive: () => remove() },
        }),
        [],
      ],
      [(remove) => ({ url: server.url, websocket: { open: remove } }), []],
      [
        (remove) => ({ url: server.url, websocket: { open: (ws) => ws.terminate() }, gap: remove }),
        ["local"],
      ],
      [
        (remove) => ({ url: server.url, websocket: { open: (ws) => void ws.send("a"), message: remove } }),
        [],
      ],
    ];
    await Promise.all(
      removals.map(async ([removal, before]) => {
        const service = newService(rig);
        const kinds: string[] = [];
        let removed: Promise<void> | undefined;
        let self: Endpoint | undefined;
        const options = removal(() => {
          removed ??= service.remove(self ?? [...service][0]!);
          return true;
        });
        const { closed } = options;
        self = service.add({
          reconnect: { initialMs: 1, maxMs: 1 },
          ...options,
          closed: (reason, context, endpoint) => {
            kinds.push(reason.kind);
            closed?.(reason, context, endpoint);
          },
        });
        while (removed === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
        await removed;
        const { attempts } = self;
        // Longer than any delay it could come back after.
        await new Promise((resolve) => setTimeout(resolve, 60));
        const name = String(removal);
        expect([kinds, self.state, self.attempts, service.size], name).toEqual([
          [...before, "removed"],
          "removed",
          attempts,
          0,
        ]);
      }),
    );
    expect(beats).toBe(1);
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test("gives `removed` as its last reason, whatever it was ending of already", async () => {
    const server = await rig.serve(ECHO);
    const service = newService(rig);
    const journal = new EndpointJournal();
    const endpoint = service.add(journal.options(server.url));
    await journal.see("open");
    service.dispatch(endpoint, (ws) => ws.close(4000, "mine"));
    await service.remove(endpoint);
    expect(journal.reasons).toMatchObject([{ kind: "removed", close: { code: 4000 } }]);
  });

  test("is closed with everything in it, and takes nothing afterwards", async () => {
    const server = await rig.serve(ECHO);
    const journal = new EndpointJournal();
    {
      await using service = new Service({ loop: rig.loop });
      service.add(journal.options(server.url));
      service.add(journal.options("ws://127.0.0.1:1/"));
      await journal.see("open");
      void service.close();
      expect(() => service.add({ url: server.url })).toThrow(RingwireError);
    }
    const removed = journal.reasons.filter(({ kind }) => kind === "removed");
    expect(removed.length).toBe(2);
    expect(removed.find(({ close }) => close !== undefined)?.close).toMatchObject({
      code: 1000,
      wasClean: true,
    });
  });

  test("stops its endpoints when its loop is closed under it", async () => {
    const server = await rig.serve(ECHO);
    const loop = rig.newLoop();
    const service = new Service({ loop });
    const journal = new EndpointJournal();
    const endpoint = service.add(journal.options(server.url));
    await journal.see("open");
    loop.close();
    await journal.see("closed");
    expect(endpoint.state).toBe("stopped");
    await service.close();
    expect(journal.reasons.map(({ kind }) => kind)).toEqual(["local", "removed"]);
  });

  test("stops endpoints that wait, ask or connect when its loop is closed under it", async () => {
    const loop = rig.newLoop();
    const hanging = await rig.rawServer(() => undefined);
    const service = new Service({ loop });
    const journals = [new EndpointJournal(), new EndpointJournal(), new EndpointJournal()] as const;
    const [waiting, asking, connecting] = journals;
    service.add(waiting.options("ws://127.0.0.1:1/", { reconnect: { initialMs: 60_000, maxMs: 60_000 } }));
    service.add(asking.options(() => new Promise<string>(() => undefined)));
    service.add(connecting.options(hanging.url));
    await waiting.see("closed");
    loop.close();
    await Promise.all([waiting.see("closed", 2), asking.see("closed"), connecting.see("closed")]);
    expect([...service].map(({ state, lastReason }) => [state, lastReason?.kind])).toEqual(
      new Array(3).fill(["stopped", "local"]),
    );
    // Too late, and it says so.
    const late = new EndpointJournal();
    service.add(late.options(async () => hanging.url));
    expect((await late.see("closed")).reason).toMatchObject({
      kind: "local",
      error: { code: "ERR_NOT_OPEN" },
    });
    await service.close();
    expect(service.size).toBe(0);
  });

  test("reports what lifecycle handlers throw, and goes on", async () => {
    const server = await rig.serve({ websocket: { message: (ws) => void ws.close(4001) } });
    const service = newService(rig);
    const errors: unknown[] = [];
    const { error } = console;
    console.error = (thrown: unknown) => void errors.push((thrown as RingwireError).code);
    rig.after(() => {
      console.error = error;
    });
    let opened = 0;
    await new Promise<void>((resolve) => {
      service.add({
        url: server.url,
        reconnect: { initialMs: 1 },
        websocket: { open: (ws) => void (++opened === 3 ? resolve() : ws.send("close me")) },
        canRecreate: () => {
          throw new Error("canRecreate");
        },
        gap: () => Promise.reject(new Error("gap")),
        closed: () => {
          throw new Error("closed");
        },
      });
    });
    expect(errors.filter((code) => code === "ERR_HANDLER").length).toBe(errors.length);
    expect(errors.length).toBeGreaterThanOrEqual(5);
  });

  test("refuses unknown and impossible options at once", () => {
    const service = newService(rig);
    const add =
      (more: object): (() => unknown) =>
      () =>
        service.add({ url: "ws://127.0.0.1:1/", ...more });
    expect(() => new Service({ contest: 1 } as object)).toThrow(/Unknown option "contest" for Service/);
    expect(add({ url: "http//nowhere" })).toThrow(TypeError);
    expect(add({ recconect: false })).toThrow(/Unknown option/);
    expect(add({ signal: AbortSignal.abort() })).toThrow(/Unknown option "signal"/);
    expect(add({ reconnect: { factor: 0.5 } })).toThrow(RangeError);
    expect(add({ reconnect: { initialMs: 100, maxMs: 50 } })).toThrow(RangeError);
    expect(add({ headers: { "x-key": "a\r\nb: c" } })).toThrow(/Cannot send header "x-key"/);
    expect(add({ headers: { Host: "elsewhere" } })).toThrow(/Cannot set header "Host"/);
    expect(add({ staleMs: -1 })).toThrow(RangeError);
    expect(add({ ttlMs: "1h" })).toThrow(TypeError);
    expect(add({ gap: 1 })).toThrow(TypeError);
    expect(add({ heartbeat: {} })).toThrow(/needs a function "send"/);
    expect(add({ websocket: { message: 1 } })).toThrow(/Handler "message"/);
    expect(add({ websocket: { mesage: () => undefined } })).toThrow(/Unknown option "mesage"/);
    expect(add({ tls: {} })).toThrow(/no TLS/);
    expect(service.size).toBe(0);
  });

  test("lives on turns alone in a manual loop", async () => {
    if (rig.kind === "native") {
      expect(() => new Loop({ transport: "native", drive: "manual" })).toThrow(/cannot|Cannot/);
      return;
    }
    const server = await rig.serve(ECHO);
    const service = new Service({ loop: rig.newLoop({ drive: "manual" }), context: { echoes: 0 } });
    const endpoint = service.add({
      url: () => server.url.replace("localhost", "127.0.0.1"),
      websocket: {
        open: (ws) => void ws.send("one"),
        message: (_ws, _data, _isText, context) => void context.echoes++,
      },
    });
    while (service.context.echoes < 1) {
      service.poll();
      // For the server only, which lives on this thread's own loop.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const removed = service.remove(endpoint);
    while (service.size > 0) {
      service.poll();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await removed;
  });

  test("lives in a spinning loop, and in one that blocks its thread", async () => {
    const exchange = new Running(nodeProgram(), [EXCHANGE, "127.0.0.1", "0"]);
    rig.after(() => exchange.kill());
    const [, port] = await exchange.see(/listening (\d+)/);
    const url = `ws://127.0.0.1:${port}/`;
    /** Comes, is lost, comes again and is removed, all from handlers. */
    const add = (loop: Loop, done: () => void): string[] => {
      const told: string[] = [];
      const service = new Service({ loop });
      service.add({
        url: () => url,
        reconnect: { initialMs: 1, maxMs: 1 },
        websocket: {
          open: () => void told.push("open"),
          message: (ws) => (told.includes("gap") ? void service.remove(ws.data) : ws.terminate()),
        },
        gap: () => void told.push("gap"),
        closed({ kind }) {
          told.push(kind);
          if (kind === "removed") done();
        },
      });
      return told;
    };
    const expected = ["open", "local", "gap", "open", "removed"];
    const spinning = rig.newLoop({ drive: "spin", spinUs: 50 });
    await new Promise<void>((resolve) => {
      const told = add(spinning, () => {
        expect(told).toEqual(expected);
        resolve();
      });
    });
    if (rig.kind === "native") return;
    const running = rig.newLoop({ drive: "run" });
    const told = add(running, () => running.stop());
    running.run();
    expect(told).toEqual(expected);
  });

  test("counts what its own connections do, and tells the diagnostics channels", async () => {
    const told: { kind: string; state?: string }[] = [];
    const take = (event: unknown): void => void told.push(event as { kind: string });
    for (const event of ["closed", "gap"]) {
      subscribe(`ringwire:endpoint:${event}`, take);
      rig.after(() => unsubscribe(`ringwire:endpoint:${event}`, take));
    }
    const server = await rig.serve({ websocket: { message: (ws) => void ws.close(4001) } });
    const before = rig.loop.metrics.snapshot().connectionsOpened;
    const service = newService(rig);
    const journal = new EndpointJournal();
    service.add(journal.options(server.url, { websocket: { open: (ws) => void ws.send("close me") } }));
    await journal.see("gap", 2);
    await service.close();
    const { connections, connectionsOpened, messagesSent } = service.metrics.snapshot();
    expect([connections, connectionsOpened >= 3, messagesSent >= 2]).toEqual([0, true, true]);
    expect(rig.loop.metrics.snapshot().connectionsOpened - before).toBeGreaterThanOrEqual(connectionsOpened);
    expect(told.slice(0, 3).map(({ kind, state }) => [kind, state])).toEqual([
      ["closed", "waiting"],
      ["closed", undefined],
      ["closed", "waiting"],
    ]);
    expect(told.at(-1)).toMatchObject({ kind: "removed", state: "removed" });
  });

  test("leaves plain connections alone", async () => {
    const server = await rig.serve(ECHO);
    const service = newService(rig);
    const endpoint = service.add({ url: server.url });
    await using socket = await connect(server.url, { loop: rig.loop });
    await service.close();
    expect([endpoint.state, socket.state]).toEqual(["removed", "open"]);
  });
});
