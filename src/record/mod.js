/**
 * Recording and replay of any connection, both directions, in one file (`.rwr`): `connect(url, { record: "session.rwr" })` writes one,
 * `new Loop({ transport: new Replay("session.rwr") })` plays it into the same program.
 *
 * @example
 * ```ts
 * import { connect, Loop, serve } from "ringwire";
 * import { Replay } from "ringwire/record";
 *
 * async function twice(path: string): Promise<void> {
 *   const server = await serve({ port: 0, websocket: { open: (ws) => void ws.send("news") } });
 *   const live = await connect(server.url, { record: path });
 *   for await (const message of live) {
 *     console.log(message.text());
 *     live.close();
 *   }
 *   await server.stop();
 *
 *   using loop = new Loop({ transport: new Replay(path) });
 *   for await (const message of await connect(server.url, { loop })) console.log(message.text(), "again");
 * }
 * console.log(typeof twice);
 * ```
 *
 * @module
 */
export { Recorder } from "./recorder.js";
export { Recording } from "./recording.js";
export { Replay } from "./replay.js";
