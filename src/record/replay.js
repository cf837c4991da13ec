/** `Replay`: a recording as something that a loop can run on. */
import { checkKnown, readNumbers } from "../options.js";
import { Player } from "./player.js";
import { Recording } from "./recording.js";
const NUMBERS = {
    waitMs: { default: 5_000, min: 0, max: 3_600_000 },
};
const SLOWEST = 0.001;
let openPlayer;
/**
 * Plays a recording into a program: connections of its loop meet the recorded ones, in order, by the address they ask for, and everything else
 * is as on the network. The loop's clock is the recording's, so `receivedNs`, deadlines and heartbeats are what they were, and
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
    path;
    /** Resolves when the recording is over, or its loop is closed. */
    finished;
    #recording;
    #speed;
    #waitMs;
    #finish = () => undefined;
    #player = undefined;
    static {
        openPlayer = (replay, runtime, openCodec) => {
            if (replay.#player !== undefined) {
                throw new TypeError(`Cannot replay "${replay.path}" on a second loop; make another Replay`);
            }
            replay.#player = new Player({
                recording: replay.#recording,
                speed: replay.#speed,
                waitMs: replay.#waitMs,
                runtime,
                openCodec,
                finished: (stats) => replay.#finish(stats),
            });
            return replay.#player;
        };
    }
    /**
     * Opens a recording; `new Loop({ transport: replay })` plays it, from the first connection on.
     *
     * @throws RingwireError `ERR_RECORDING` when it cannot be read or is no recording.
     * @throws TypeError, RangeError for unknown options and values out of range.
     */
    constructor(path, options = {}) {
        checkKnown("Replay", options, ["speed", ...Object.keys(NUMBERS)]);
        const speed = options.speed ?? Infinity;
        if (typeof speed !== "number")
            throw new TypeError(`Option "speed" of Replay must be a number`);
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
    get stats() {
        return (this.#player?.progress ?? {
            records: 0,
            inBytes: 0,
            connections: 0,
            missed: 0,
            incomplete: 0,
            isOver: false,
        });
    }
    /** Where the file is damaged, as far as it has been played. */
    get problems() {
        return this.#recording.problems;
    }
}
export { openPlayer };
