/** The transport of a loop that replays: takes turns like any other, but what happens in them comes from a {@link Player}. */

import { RingwireError } from "../errors.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Kernels } from "../protocol/kernels.ts";
import { scalarKernels } from "../protocol/scalar_kernels.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TimerWheel } from "../timer_wheel.ts";
import type {
  ConnectEndpoint,
  Connection,
  ConnectionHandler,
  ListenEndpoint,
  Listener,
  ListenerHandler,
  Transport,
  TransportStats,
} from "../transport.ts";
import { AGAIN, Player } from "./player.ts";
import { Random } from "./random.ts";
import type { Recording } from "./recording.ts";
import type { ReplayStats } from "./replay.ts";
import type { ReplayConnection, ReplayHost } from "./replay_connection.ts";

/** What {@link ReplayTransport} takes. */
export interface ReplayTransportOptions {
  readonly recording: Recording;
  /** 1: as it was; Infinity: at once. */
  readonly speed: number;
  readonly waitMs: number;
  readonly runtime: Runtime;
  readonly openCodec: () => Codec;
  readonly finished: (stats: ReplayStats) => void;
}

/** Records played before the program's promises and other events get their turn. */
const SLICE_RECORDS = 128;
const SCRATCH_BYTES = 256 << 10;

/** See the top of this file. */
export class ReplayTransport implements Transport, ReplayHost {
  readonly kind = "replay" as const;
  readonly canPoll = true;
  readonly kernels: Kernels = scalarKernels;
  readonly reason: string;
  readonly scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);
  readonly sha1Base64: (text: string) => string;
  /** The runtime, with the recording's clock, and names that are not looked up. */
  readonly runtime: Runtime;
  readonly #player: Player;
  readonly #real: Runtime;
  readonly #openCodec: () => Codec;
  readonly #finished: (stats: ReplayStats) => void;
  #codec: Codec | undefined = undefined;
  #isPolled = false;
  #hasBegun = false;
  #isClosed = false;
  #isScheduled = false;
  #cancelTimer: (() => void) | undefined = undefined;
  #letDie: (() => void) | undefined = undefined;
  #turns = 0;

  constructor(options: ReplayTransportOptions) {
    const { recording, speed, waitMs, runtime } = options;
    this.reason = `replay of ${recording.path}`;
    this.sha1Base64 = runtime.sha1Base64;
    this.#real = runtime;
    this.#openCodec = options.openCodec;
    this.#finished = options.finished;
    const realMs = (): number => runtime.nowMs();
    const player = new Player({ recording, speed, waitMs, host: this, realMs, ended: () => this.#ended() });
    this.#player = player;
    const random = new Random();
    this.runtime = {
      ...runtime,
      nowMs: () => player.nowMs,
      // Delays that chance decides on are the same each time. Nothing of it leaves this process.
      randomFill: (bytes) => random.fill(bytes),
      resolve: async (host) => [{ host, family: "ipv4" }],
    };
  }

  /** Joins the loop's deadlines, before anything is connected. */
  start(wheel: TimerWheel, isPolled: boolean): void {
    this.#player.watch(wheel);
    this.#isPolled = isPolled;
  }

  /** The wheel wants to be advanced at `dueMs`. */
  armed(dueMs: number): void {
    if (this.#player.armed(dueMs) && this.#hasBegun) this.wake();
  }

  get progress(): ReplayStats {
    return this.#player.progress;
  }

  // ── Transport ────────────────────────────────────────────────────────────────────────────────

  get codec(): Codec {
    this.#codec ??= this.#openCodec();
    return this.#codec;
  }

  async listen({ address }: ListenEndpoint, handler: ListenerHandler): Promise<Listener> {
    this.#checkOpen("listen");
    const close = this.#player.listen(handler, address);
    this.#begin();
    return {
      address,
      close,
      updateTls(): void {
        throw new TypeError("Cannot update TLS: a replay has none");
      },
    };
  }

  connect({ address }: ConnectEndpoint, handler: ConnectionHandler): Connection {
    this.#checkOpen("connect");
    const connection = this.#player.connect(handler, address);
    this.#begin();
    return connection;
  }

  flush(): void {
    // Nothing of what is sent goes anywhere.
  }

  exit(): void {
    // Nor does it then.
  }

  poll(waitUs: number): number {
    const before = this.#turns;
    const delayMs = this.#slice();
    const restMs = Math.min(delayMs, waitUs / 1_000);
    if (this.#turns === before && restMs > 0) sleep(restMs);
    return this.#turns - before;
  }

  stats(): TransportStats {
    return {
      connections: this.#player.connectionCount,
      turns: this.#turns,
      enters: 0,
      shortSends: 0,
      noBuffers: 0,
      parks: 0,
      handshakes: 0,
      resumptions: 0,
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#letDie?.();
    this.#player.close();
    this.#codec?.close();
    this.#finished(this.progress);
  }

  // ── from the connections ─────────────────────────────────────────────────────────────────────

  wake(): void {
    if (this.#isPolled || this.#isScheduled || this.#isClosed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#isScheduled = true;
    this.#real.defer(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  left(connection: ReplayConnection): void {
    this.#player.leave(connection);
    this.wake();
  }

  // ── turns ────────────────────────────────────────────────────────────────────────────────────

  #begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#letDie = this.#real.stayAlive();
      this.#player.begin();
    }
    this.wake();
  }

  /** One slice, and the next one arranged. */
  #turn(): void {
    if (this.#isClosed) return;
    const delayMs = this.#slice();
    if (this.#isScheduled || this.#isClosed || delayMs === Infinity) return;
    if (delayMs <= 0) this.wake();
    else this.#cancelTimer = this.#real.setTimer(() => this.wake(), delayMs);
  }

  /** Plays until something has to be waited for. Returns for how long, milliseconds; Infinity: for the program. */
  #slice(): number {
    if (!this.#hasBegun || this.#isClosed) return Infinity;
    for (let count = 0; count < SLICE_RECORDS; count++) {
      const delayMs = this.#player.step();
      if (delayMs !== AGAIN) return delayMs;
      this.#turns++;
      if (this.#isClosed) return Infinity;
    }
    return 0;
  }

  #ended(): void {
    this.#letDie?.();
    this.#letDie = undefined;
    this.#finished(this.progress);
  }

  #checkOpen(action: string): void {
    if (this.#isClosed) throw new RingwireError("ERR_NOT_OPEN", `Cannot ${action}: the loop is closed`);
  }
}

function sleep(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}
