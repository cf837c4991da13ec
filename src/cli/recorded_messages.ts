/** The messages of a recording: its WebSockets are replayed, each by a client or server like the one that was recorded. */

import type { ReplayStats } from "../record/replay.ts";
import type { Socket } from "../websocket/socket.ts";
import { connect, Loop, Recording, Replay, serve } from "./library.ts";
import { type ConnectionSummary, summarize } from "./recording_summary.ts";

/** The next connection may come days after the one before. */
const NEVER_MS = 2_147_483_647;

/** Where messages go. */
export interface MessageSink {
  /** Returns false when `ready` is to be awaited before more come. */
  take(data: Uint8Array, isText: boolean): boolean;
  ready(): Promise<void>;
  /** Something to say to people. */
  notice(text: string): void;
}

/** A recording being played as messages. */
export class RecordedMessages {
  /** Resolves at the end of the recording, or when it is stopped. */
  readonly finished: Promise<ReplayStats>;
  readonly #loop: Loop;
  readonly #sink: MessageSink;
  #isStopped = false;

  /** @throws RingwireError `ERR_RECORDING` when the file cannot be read. */
  constructor(path: string, speed: number, sink: MessageSink) {
    const replay = new Replay(path, { speed });
    this.#sink = sink;
    this.#loop = new Loop({ transport: replay });
    const recording = new Recording(path);
    const { connections } = summarize(recording);
    recording.close();
    this.finished = replay.finished;
    this.#begin(connections).catch((error: unknown) => sink.notice(String(error)));
  }

  stop(): void {
    this.#isStopped = true;
    this.#loop.close();
  }

  async #begin(connections: readonly ConnectionSummary[]): Promise<void> {
    if (connections.some(({ facts }) => facts.role === "server")) await this.#serve();
    for (const summary of connections) {
      if (this.#isStopped) return;
      if (summary.facts.role === "client") await this.#connect(summary);
    }
  }

  /** One after the other: the replay waits for each where it began. */
  async #connect({ connection, facts, request }: ConnectionSummary): Promise<void> {
    const url = String(facts.url);
    try {
      await connect(url, {
        loop: this.#loop,
        connectTimeoutMs: NEVER_MS,
        protocols: fieldOf(request, "sec-websocket-protocol")?.split(/\s*,\s*/) ?? [],
        websocket: {
          compression: /permessage-deflate/i.test(request) ? "dedicated" : "disabled",
          ...this.#handlers(),
        },
      });
    } catch (error) {
      if (!this.#isStopped) this.#sink.notice(`#${connection} ${url}: ${String((error as Error).message)}`);
    }
  }

  async #serve(): Promise<void> {
    await serve({
      loop: this.#loop,
      port: 0,
      protocols: ["*"],
      websocket: { compression: "dedicated", ...this.#handlers() },
    });
  }

  #handlers() {
    return {
      text: "bytes",
      maxMessageBytes: 2 ** 31 - 1,
      message: (ws: Socket, data: string | Uint8Array, isText: boolean): void => {
        if (this.#sink.take(data as Uint8Array, isText)) return;
        ws.pause();
        this.#sink.ready().then(() => ws.resume());
      },
    } as const;
  }
}

/** A field of a recorded request. */
function fieldOf(request: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.+?)[ \\t]*\\r$`, "im").exec(request)?.[1];
}
