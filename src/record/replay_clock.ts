/**
 * The time of a replay: it stands at the record that is being played, and jumps to the next. From the end of the recording on it
 * passes as everywhere.
 */

import type { RecordingEntry } from "./recording.ts";

/** See the top of this file. Milliseconds, on the clock of the recording's first session. */
export class ReplayClock {
  readonly #speed: number;
  readonly #realMs: () => number;
  #clockMs = 0;
  /** What is added to recorded times: above 0 from a file's second session on. */
  #shiftMs = 0;
  #session: { readonly wallMs: number; readonly beganMs: number } | undefined = undefined;
  /** Two moments that belong together; pace is kept from there. */
  #paceRealMs = 0;
  #paceMs = 0;
  /** Real time at the end; below 0 before. */
  #endedRealMs = -1;

  /**
   * @param speed - 1: time passes as it did. Infinity: it only jumps.
   * @param realMs - The runtime's clock.
   */
  constructor(speed: number, realMs: () => number) {
    this.#speed = speed;
    this.#realMs = realMs;
  }

  get nowMs(): number {
    return this.#endedRealMs < 0 ? this.#clockMs : this.#clockMs + this.#realMs() - this.#endedRealMs;
  }

  /** When a record was made. */
  timeOf(entry: RecordingEntry): number {
    return entry.timeNs / 1e6 + this.#shiftMs;
  }

  /** A recorder began here, with a monotonic clock of its own: the wall clock tells how much later that was. */
  beginSession(entry: RecordingEntry): void {
    const wallMs = Number(entry.facts().wallMs) || 0;
    const timeMs = entry.timeNs / 1e6;
    const { wallMs: wasMs, beganMs: wasBeganMs } = this.#session ?? { wallMs, beganMs: timeMs };
    const beganMs = Math.max(this.#clockMs, wasBeganMs + Math.max(0, wallMs - wasMs));
    this.#shiftMs = beganMs - timeMs;
    this.#session = { wallMs, beganMs };
  }

  /** Goes on to a moment; never back. */
  advanceTo(timeMs: number): void {
    if (timeMs > this.#clockMs) this.#clockMs = timeMs;
  }

  /** How long that moment is still away in real time, at this replay's speed. */
  delayUntil(timeMs: number): number {
    if (this.#speed === Infinity) return 0;
    return (timeMs - this.#paceMs) / this.#speed - (this.#realMs() - this.#paceRealMs);
  }

  /** Pace is kept from now on: what was waited for the program is not made up for. */
  keepPace(): void {
    this.#paceRealMs = this.#realMs();
    this.#paceMs = this.#clockMs;
  }

  end(): void {
    this.#endedRealMs = this.#realMs();
  }
}
