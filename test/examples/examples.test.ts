/** Every example runs as it is, on the runtime under test, over the transport that it gets and over native sockets. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/mod.ts";
import { killPrograms, startCli, startExample } from "../cli/child_program.ts";
import { scratchPath } from "../record/scratch.ts";
import { missing } from "../uring/open_test_transport.ts";

afterEach(killPrograms);

const NATIVE = { RINGWIRE_TRANSPORT: "native" };
const ENVIRONMENTS: [string, Record<string, string>][] = [
  ["the best transport", {}],
  ["native sockets", NATIVE],
];
const SOME_FREE_PORT = "0";

describe.each(ENVIRONMENTS)("over %s", (_name, environment) => {
  test("echo_server sends back what it gets, and ends on SIGTERM", async () => {
    const server = startExample("echo_server", [SOME_FREE_PORT], environment);
    const [, url] = await server.output(/^listening on (\S+) over (uring|native) \(.+\)\n/);
    const client = startExample("echo_client", [url], environment);
    expect((await client.ended).stdout).toBe("hello\nring\nwire\nclosed with 1000, cleanly\n");
    server.signal("SIGTERM");
    expect(await server.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("echo_client brings a server of its own and ends by itself", async () => {
    expect(await startExample("echo_client", [], environment).ended).toEqual({
      code: 0,
      stdout: "hello\nring\nwire\nclosed with 1000, cleanly\n",
      stderr: "",
    });
  });

  test("whatwg_client shows text and binary and ends by itself", async () => {
    expect(await startExample("whatwg_client", [], environment).ended).toEqual({
      code: 0,
      stdout: "text: as in a browser\nbinary: 1 2 3\nclosed with 1000 done\n",
      stderr: "",
    });
  });

  test("chat_server tells everybody what one says", async () => {
    const server = startExample("chat_server", [SOME_FREE_PORT], environment);
    const [, url] = await server.output(/^chat on (\S+)\?name=YOURS over /);
    const ada = await connect(`${url}?name=ada`);
    const heard = ada[Symbol.asyncIterator]();
    const next = async (): Promise<string> => ((await heard.next()).value as { text(): string }).text();
    expect(await next()).toBe("welcome, ada; you are one of 1");
    const ben = await connect(`${url}?name=ben`);
    expect(await next()).toBe("ben has come");
    ben.send("hello");
    expect(await next()).toBe("ben: hello");
    ben.close();
    expect(await next()).toBe("ben has left");
    await expect(connect(`${url}?name=not%20allowed`)).rejects.toMatchObject({ status: 400 });
    server.signal("SIGINT");
    expect(await ada.closed).toMatchObject({ code: 1001, wasClean: true });
    expect(await server.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("record writes a feed down, and replay plays it into the same code", async () => {
    const path = scratchPath();
    const recorded = await startExample("record", [], { ...environment, TMPDIR: dirname(path) }).ended;
    expect(recorded).toMatchObject({ code: 0, stderr: "" });
    const [, news, url, file] =
      /^(gold 100\ngold 101\ngold 102\n)recorded (\S+) in (\S+): \d+ records, 0 lost\n$/.exec(
        recorded.stdout,
      ) ?? [];
    expect(await startExample("replay", [url, file], environment).ended).toEqual({
      code: 0,
      stdout: `${news}replayed 1 connections, 0 incomplete\n`,
      stderr: "",
    });
  });

  test("pool asks twelve questions over three connections, and replaces the one that dies", async () => {
    const { code, stdout, stderr } = await startExample("pool", [], environment).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("\n5 squared? the connection died\n");
    expect(stdout.match(/died/g)).toHaveLength(1);
    expect(stdout).toMatch(/\n11 squared\? 121\n12 leases over 4 connections\n$/);
  });

  test("manual_loop ends by itself, and says so where it is not possible", async () => {
    const { code, stdout, stderr } = await startExample("manual_loop", [], environment).ended;
    const isPossible = missing === undefined && environment !== NATIVE;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      isPossible ? /^10000 answers, one each [\d.]+ µs\n$/ : /^not possible here: .+\n$/,
    );
  });

  test("rate_limiting shows who waits, who is closed and who is refused, and ends by itself", async () => {
    expect(await startExample("rate_limiting", [], environment).ended).toEqual({
      code: 0,
      stdout: [
        "polite: sent sent sent sent queued queued queued queued",
        "venue: 8 orders",
        "venue: ERR_RATE_LIMITED",
        "rude: closed with 1008",
        "too many: 429, again in 1000 ms",
        "5 lookups took their time\n",
      ].join("\n"),
      stderr: "",
    });
  });

  test("fragmentation shows what is put together and what is refused, and ends by itself", async () => {
    const { code, stdout, stderr } = await startExample("fragmentation", [], environment).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "16 fragments of 64 KiB",
      "server: one message of 1048576 bytes",
      "client: it took 1048576 bytes",
      "client: closed with 1000",
      "1,024 fragments of 1 KiB",
      "server: ERR_TOO_MANY_FRAGMENTS",
      "client: closed with 1009",
      "",
    ]);
  });

  test("metrics shows counters, times and events, and what RINGWIRE_DEBUG writes", async () => {
    const debug = { ...environment, RINGWIRE_DEBUG: "connection" };
    const { code, stdout, stderr } = await startExample("metrics", [], debug).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^connection:open of the (client|server)\nconnection:open of the /);
    expect(stdout).toMatch(/\n1000 echoes: p50 \d+ µs, p99 \d+ µs\na ping took [\d.]+ ms\n/);
    expect(stdout).toContain(
      '\nringwire_messages_sent_total{server="echo"} 1000\nringwire_connections{server="echo"} 1\n',
    );
    expect(stdout).toMatch(/connection:close of the (client|server) with 1000\n$/);
    const lines = stderr.trimEnd().split("\n");
    expect(lines.length).toBe(4);
    for (const line of lines) {
      expect(line).toMatch(
        /^ringwire [\d.]+ connection:(open|close) socket#[12] role="(client|server)" url=ws:\/\/127\.0\.0\.1:\d+\/ /,
      );
    }
  });

  test.each([
    ["many_connections", "50 endpoints, 500 messages\ngold 109\nsilver 109\ncopper 109\n"],
    ["dispatch", "sent\nsent\neast: filled buy 5 gold\nwest: filled sell 5 gold\nleft: /east\n"],
    [
      "auto_disconnect",
      [
        "connection 1 is open",
        "connection 2 is open",
        "one is closed: ttl; the endpoint is open",
        "connection 3 is open",
        "one is closed: ttl; the endpoint is open",
        "postponed 1 time",
        "one is closed: removed; the endpoint is removed\n",
      ].join("\n"),
    ],
    [
      "async_dns",
      [
        "connected to the first place",
        "closed with 1001",
        "found it again after 1 attempt",
        "connected to the second place",
        "removed with 1000\n",
      ].join("\n"),
    ],
    ["polymorphic_endpoints", "clock: 12:00\ntrade 1 of gold: 100\ntrade 1 of silver: 20\n"],
    [
      "endpoint_timer",
      [
        ...["open", "answer to beat 1", "answer to beat 2", "lost: heartbeat"],
        ...["open", "answer to beat 4", "answer to beat 5", "lost: removed\n"],
      ].join("\n"),
    ],
    ["split_reader_writer", "read 10000 messages in order\nthe writer had to wait\n"],
    [
      "subprotocols",
      [
        "both: v2.json",
        "the old one: v1.json",
        "one that nobody speaks: ERR_HANDSHAKE_REFUSED with 400",
        "a guest: v1.json",
        "a member: v2.json\n",
      ].join("\n"),
    ],
    [
      "configured_client",
      "protocol v2.json, permessage-deflate\n70000 characters came back\nclosed with 1000 thanks, cleanly\n",
    ],
  ])("%s does what it says and ends by itself", async (name, stdout) => {
    expect(await startExample(name, [], environment).ended).toEqual({ code: 0, stdout, stderr: "" });
  });

  test("spin_latency measures both drives and ends by itself", async () => {
    const { code, stdout, stderr } = await startExample("spin_latency", [], environment).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^auto +\w+ +p50 +[\d.]+ µs +p99 .+ p99\.9 .+\nspin +\w+ +p50 +[\d.]+ µs +p99 .+\n$/,
    );
  });
});

test("echo_client tells a refused connection by its code", async () => {
  const { code, stderr } = await startExample("echo_client", ["ws://127.0.0.1:1"]).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^ERR_CONNECTION_REFUSED: Cannot connect to /);
});

test("the program ringwire talks to chat_server", async () => {
  const server = startExample("chat_server", [SOME_FREE_PORT]);
  const [, url] = await server.output(/^chat on (\S+)\?name=YOURS over /);
  const guest = startCli(["connect", `${url}?name=cli`, "--wait", "0"]);
  await guest.output(/^welcome, cli/);
  guest.endInput();
  expect(await guest.ended).toMatchObject({ code: 0, stderr: "closed 1000\n" });
});

test("no example is left out here", () => {
  const names = readdirSync(new URL("../../examples/", import.meta.url)).filter((name) =>
    name.endsWith(".ts"),
  );
  expect(names.sort()).toEqual([
    "async_dns.ts",
    "auto_disconnect.ts",
    "chat_server.ts",
    "configured_client.ts",
    "dispatch.ts",
    "echo_client.ts",
    "echo_server.ts",
    "endpoint_timer.ts",
    "fragmentation.ts",
    "manual_loop.ts",
    "many_connections.ts",
    "market_data.ts",
    "market_feed.ts",
    "metrics.ts",
    "polymorphic_endpoints.ts",
    "pool.ts",
    "rate_limiting.ts",
    "record.ts",
    "replay.ts",
    "spin_latency.ts",
    "split_reader_writer.ts",
    "subprotocols.ts",
    "whatwg_client.ts",
  ]);
});

test("examples/README.md has a line for each", () => {
  const folder = new URL("../../examples/", import.meta.url);
  const listed = [
    ...readFileSync(new URL("README.md", folder), "utf8").matchAll(/^\| \[(\w+)\]\(\1\.ts\) \| \S/gm),
  ];
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  expect(listed.map(([, name]) => `${name}.ts`).sort()).toEqual(names.sort());
});
