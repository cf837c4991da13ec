/** What a `batch` handler gets: the messages of one read. `ReadBatch` is the one that makes it true. */

import type { StandardSchema } from "./json.ts";

/** The message of a batch that an iteration stands at. The same object for each: valid until the iteration goes on. */
export interface BatchMessage {
  /** Whether it came as a text message; else binary. */
  readonly isText: boolean;
  /** Payload bytes. */
  readonly sizeBytes: number;
  /** The message as bytes: a copy, or with `zeroCopy` a view that is valid until the handler returns. */
  bytes(): Uint8Array;
  /**
   * The message as a string. A short one that is kept may keep up to 256 bytes of its neighbours in memory with it.
   *
   * @throws TypeError when it is binary and not UTF-8.
   */
  text(): string;
  /** The message as JSON, checked by a schema where one is given. @throws As {@linkcode parseJson}. */
  json<Value = unknown>(schema?: StandardSchema<Value>): Value;
}

/**
 * Messages that arrived together, oldest first. Valid until the `batch` handler returns: then the same object is filled for others, and refuses to be iterated.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { open: (ws) => void ws.send("7") } });
 * const socket = await connect(server.url, {
 *   websocket: {
 *     batch(ws, messages) {
 *       for (const message of messages) console.log(message.text(), messages.receivedNs);
 *       ws.close();
 *     },
 *   },
 * });
 * await socket.closed;
 * await server.stop();
 * ```
 */
export interface MessageBatch extends Iterable<BatchMessage> {
  /** Number of messages. */
  readonly count: number;
  /** Monotonic time, nanoseconds, at which the read was handled: taken when first asked for. */
  readonly receivedNs: number;
}
