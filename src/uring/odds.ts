/** Whether it pays to wait a moment for the next event: score is kept, so that a program whose events come later hardly ever waits in vain. */

const SCORE_MAX = 16;
const HIT = 2;
/** Where waiting did not pay, every so many times it is tried again. */
const PROBE = 64;

/** The score of one way to wait. */
export class Odds {
  #score = 0;
  #untilProbe = 1;

  /** Whether to wait this time. */
  favourWaiting(): boolean {
    if (this.#score > 0) return true;
    if (--this.#untilProbe > 0) return false;
    this.#untilProbe = PROBE;
    return true;
  }

  /** It was waited. `isHit`: an event came meanwhile. */
  waited(isHit: boolean): void {
    if (isHit) this.#score = Math.min(SCORE_MAX, this.#score + HIT);
    else if (this.#score > 0) this.#score--;
  }
}
