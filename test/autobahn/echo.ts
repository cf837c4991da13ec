/** What is under test: a server and a client of ours that send everything back, by each way a program can take messages. */

import { connect, type Loop, serve, type WebSocketHandlers, type WebSocketOptions } from "../../src/mod.ts";
import { RawPeer } from "../conformance/raw_peer.ts";
import { ScriptedPeer } from "./scripted_peer.ts";

/** `copies`: strings and copied bytes; `views`: bytes in receive memory, text too; `batches`: all that one read brought. */
export type Delivery = "copies" | "views" | "batches";
export const DELIVERIES: readonly Delivery[] = ["copies", "views", "batches"];
export type Role = "server" | "client";
export const ROLES: readonly Role[] = ["server", "client"];

/** Above what group 9 sends: 16 MiB at once, and 4 MiB in 65,536 fragments. */
const LIMITS: WebSocketOptions = {
  maxMessageBytes: 32 << 20,
  maxBufferedBytes: 64 << 20,
  maxFragments: 1 << 17,
};

function echo(delivery: Delivery): WebSocketHandlers<undefined> & WebSocketOptions {
  switch (delivery) {
    case "copies":
      return { ...LIMITS, message: (ws, data) => void ws.send(data) };
    case "views":
      return {
        ...LIMITS,
        text: "bytes",
        zeroCopy: true,
        message: (ws, data, isText) => void (isText ? ws.sendText(data as Uint8Array) : ws.send(data)),
      };
    case "batches":
      return {
        ...LIMITS,
        batch: (ws, messages) => {
          for (const message of messages) ws.send(message);
        },
      };
  }
}

/** One connection between a scripted peer and an echo. */
export interface Meeting {
  readonly peer: ScriptedPeer;
  /** Resolves once the echo's side is gone as well. */
  readonly gone: Promise<unknown>;
}

/** An echo that connections can be made with, one at a time. */
export interface Echo {
  meet(): Promise<Meeting>;
  close(): Promise<unknown>;
}

/** Starts an echo of ours in the given role. */
export function startEcho(loop: Loop, role: Role, delivery: Delivery): Promise<Echo> {
  return role === "server" ? startServer(loop, delivery) : startClient(loop, delivery);
}

async function startServer(loop: Loop, delivery: Delivery): Promise<Echo> {
  let leave: () => void = () => undefined;
  const server = await serve({
    loop,
    port: 0,
    hostname: "127.0.0.1",
    websocket: { ...echo(delivery), close: () => leave() },
  });
  return {
    async meet() {
      const gone = new Promise<void>((resolve) => {
        leave = resolve;
      });
      const raw = await RawPeer.connect(server.port);
      const answer = await raw.upgrade();
      if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(`The server answered ${answer}`);
      return { peer: new ScriptedPeer(raw, true), gone };
    },
    close: () => server.stop({ graceMs: 0 }),
  };
}

/** The scripted peer is the server here. */
async function startClient(loop: Loop, delivery: Delivery): Promise<Echo> {
  let accept: (raw: RawPeer) => void = () => undefined;
  const server = await RawPeer.listen((raw) => accept(raw));
  return {
    async meet() {
      const accepted = new Promise<ScriptedPeer>((resolve, reject) => {
        accept = (raw) => {
          raw.acceptUpgrade().then(() => resolve(new ScriptedPeer(raw, false)), reject);
        };
      });
      const socket = await connect(`ws://127.0.0.1:${server.port}/`, { loop, websocket: echo(delivery) });
      return { peer: await accepted, gone: socket.closed };
    },
    close: () => server.close(),
  };
}
