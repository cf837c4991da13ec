/** `Replay`: a recording as something that a loop can run on. */

import { checkKnown, type NumberOption, readNumbers } from "../options.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Recording, type RecordingProblem } from "./recording.ts";
import { ReplayTransport } from "./replay_transport.ts";

/** Options of a {@linkcode Replay}. */
export interface ReplayOptions {
  /**
   * How fast time passes: 1 as it was recorded, 10 ten times as fast, Infinity as fast as the program takes it. 0.001 to Infinity.
   * @default Infinity
   */
  readonly speed?: number;
  /**
   * How long the recording waits for the program to open the connection that comes next, milliseconds of real time, before it goes on
   * without it. 0 to 3,600,000. @default 5,000
   */
  readonly waitMs?: number;
}

/** How far a replay has come, and what it could not do. */
export interface ReplayStats {
  /** Records played. */
  readonly records: number;
  /** Bytes given to the program. */
  readonly inBytes: number;
  /** Connections that were replayed. */
  readonly connections: number;
  /** Recorded connections that the program never opened. */
  readonly missed: number;
  /** Connections that broke off because the recording is incomplete: records were lost, or the file is damaged or torn. */
  readonly incomplete: number;
  /** Whether the recording has been played to its end. */
  readonly isOver: boolean;
}

const NUMBERS: { readonly [Name in "waitMs"]: NumberOption } = {
  waitMs: { default: 5_000, min: 0, max: 3_600_000 },
};
const SLOWEST = 0.001;

let openReplayTransport: (replay: Replay, runtime: Runtime, openCodec: () => Codec) => ReplayTransport;

/**
 * Plays a recording into a program: connections of its loop meet the recorded ones, in order, by the address they ask for, and everything else
 * is as on the network. The loop's clock is the recording's, so `receivedNs` (the kernel's stamps excepted), deadlines and heartbeats are what they were, and
 * the same file gives the same events each time, at any speed. What the program sends is not compared.
 *
 * Recorded servers are replayed too: connections that they had come to `serve({ loop })`.
 *
 * A connection that ends before its time because the recording ends there or is damaged closes with `ERR_RECORDING`.
 *
 * @example
 * ```ts
 * import { connect, Loop } from "ringwire";
 * import { Replay } from "ringwire/record";
 *
 * async function replay(path: string): Promise<void> {
 *   const replay = new Replay(path, { speed: 10 });
 *   using loop = new Loop({ transport: replay });
 *   await connect("wss://feed.example/", { loop, websocket: { message: (_ws, data) => console.log(data) } });
 *   console.log(await replay.finished);
 * }
 * console.log(typeof replay);
 * ```
 */
export class Replay {
  /** The file's path. */
  readonly path: string;
  /** Resolves when the recording is over, or its loop is closed. */
  readonly finished: Promise<ReplayStats>;
  readonly #recording: Recording;
  readonly #speed: number;
  readonly #waitMs: number;
  #finish: (stats: ReplayStats) => void = () => undefined;
  #transport: ReplayTransport | undefined = undefined;

  static {
    openReplayTransport = (replay: Replay, runtime: Runtime, openCodec: () => Codec): ReplayTransport => {
      if (replay.#transport !== undefined) {
        throw new TypeError(`Cannot replay "${replay.path}" on a second loop; make another Replay`);
      }
      replay.#transport = new ReplayTransport({
        recording: replay.#recording,
        speed: replay.#speed,
        waitMs: replay.#waitMs,
        runtime,
        openCodec,
        finished: (stats) => replay.#finish(stats),
      });
      return replay.#transport;
    };
  }

  /**
   * Opens a recording; `new Loop({ transport: replay })` plays it, from the first connection on.
   *
   * @throws RingwireError `ERR_RECORDING` when it cannot be read or is no recording.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(path: string, options: ReplayOptions = {}) {
    checkKnown("Replay", options, ["speed", ...Object.keys(NUMBERS)]);
    const speed = options.speed ?? Infinity;
    if (typeof speed !== "number") throw new TypeError(`Option "speed" of Replay must be a number`);
    if (!(speed >= SLOWEST)) {
      throw new RangeError(`Option "speed" of Replay must be from ${SLOWEST} to Infinity, not ${speed}`);
    }
    this.path = path;
    this.#speed = speed;
    this.#waitMs = readNumbers("Replay", options, NUMBERS).waitMs;
    this.#recording = new Recording(path);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** How far it has come. */
  get stats(): ReplayStats {
    return (
      this.#transport?.progress ?? {
        records: 0,
        inBytes: 0,
        connections: 0,
        missed: 0,
        incomplete: 0,
        isOver: false,
      }
    );
  }

  /** Where the file is damaged, as far as it has been played. */
  get problems(): readonly RecordingProblem[] {
    return this.#recording.problems;
  }
}

export { openReplayTransport };
