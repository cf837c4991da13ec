/** What is under test: a server and a client of ours that send everything back, by each way a program can take messages. */

import { connect, type Loop, serve, type WebSocketHandlers, type WebSocketOptions } from "../../src/mod.ts";
import { RawPeer } from "../conformance/raw_peer.ts";
import { meetClient, meetServer, type Opening } from "./meeting.ts";
import type { ScriptedPeer } from "./scripted_peer.ts";

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

/** Every message is worth compressing here; each delivery has another way to do it. */
const COMPRESSION: { readonly [delivery in Delivery]: WebSocketOptions } = {
  copies: { compression: { mode: "dedicated", thresholdBytes: 0 } },
  views: { compression: { mode: "shared", thresholdBytes: 0 } },
  batches: { compression: { mode: "dedicated", thresholdBytes: 0, windowBits: 12, peerWindowBits: 12 } },
};

function echo(delivery: Delivery): WebSocketHandlers<undefined> & WebSocketOptions {
  const options = { ...LIMITS, ...COMPRESSION[delivery] };
  switch (delivery) {
    case "copies":
      return { ...options, message: (ws, data) => void ws.send(data) };
    case "views":
      return {
        ...options,
        text: "bytes",
        zeroCopy: true,
        message: (ws, data, isText) => void (isText ? ws.sendText(data as Uint8Array) : ws.send(data)),
      };
    case "batches":
      return {
        ...options,
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
  meet(opening: Opening): Promise<Meeting>;
  close(): Promise<unknown>;
}

/** Starts an echo of ours in the given role. */
export function startEcho(loop: Loop, role: Role, delivery: Delivery): Promise<Echo> {
  if (role === "server") return startServer(loop, delivery);
  return dialed(async (port) => {
    const socket = await connect(`ws://127.0.0.1:${port}/`, { loop, websocket: echo(delivery) });
    return [socket.closed];
  });
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
    async meet(opening) {
      const gone = new Promise<void>((resolve) => {
        leave = resolve;
      });
      return { peer: await meetServer(server.port, opening), gone };
    },
    close: () => server.stop({ graceMs: 0 }),
  };
}

/**
 * An echo that is a client: the scripted peer is the server here.
 *
 * @param dial - Opens a connection to a port. Resolves with a promise, in an array so that it is not awaited, of its end.
 */
export async function dialed(
  dial: (port: number) => Promise<readonly [gone: Promise<unknown>]>,
): Promise<Echo> {
  let accept: (raw: RawPeer) => void = () => undefined;
  const server = await RawPeer.listen((raw) => accept(raw));
  return {
    async meet(opening) {
      const accepted = new Promise<ScriptedPeer>((resolve, reject) => {
        accept = (raw) => meetClient(raw, opening).then(resolve, reject);
      });
      const [peer, [gone]] = await Promise.all([accepted, dial(server.port)]);
      return { peer, gone };
    },
    close: () => server.close(),
  };
}
