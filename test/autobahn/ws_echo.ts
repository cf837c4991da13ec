/**
 * Echoes made with the npm package ws: an implementation whose verdicts are known. What the scripted peer says of it shows
 * whether the scripted peer is right. Node only: elsewhere the name ws stands for the runtime's own.
 */

import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { dialed, type Echo, type Role } from "./echo.ts";
import { meetServer } from "./meeting.ts";

/** Above what group 9 sends, as ours has it; and every message is worth compressing. */
const OPTIONS = { maxPayload: 32 << 20, maxFragments: 1 << 17, perMessageDeflate: { threshold: 0 } };

/** Starts an echo of ws in the given role. */
export function startWsEcho(role: Role): Promise<Echo> {
  if (role === "server") return startServer();
  return dialed(async (port) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, OPTIONS);
    sendBack(socket);
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return [goneOf(socket)];
  });
}

async function startServer(): Promise<Echo> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...OPTIONS });
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    async meet(opening) {
      const gone = new Promise<void>((resolve) => {
        server.once("connection", (socket) => {
          sendBack(socket);
          goneOf(socket).then(resolve);
        });
      });
      return { peer: await meetServer((server.address() as AddressInfo).port, opening), gone };
    },
    close: () => new Promise((closed) => server.close(() => closed(undefined))),
  };
}

function sendBack(socket: WebSocket): void {
  // What a peer breaks is for the peer to see.
  socket.on("error", () => undefined);
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
}

function goneOf(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
