/**
 * All deadlines of a loop on one hashed wheel: scheduling and cancelling are O(1), and however many
 * connections wait, the runtime has one timer. Late by at most one tick plus the coalescing below, never early.
 */

const SLOT_COUNT = 512;
const TICK_MS = 8;
/** Long delays are rounded up by at most 1/16, so that thousands of them share few wake-ups. */
const COALESCE_SHIFT = 4;

/** `dueTick` of a timer that does not wait. */
const IDLE = -1;
/** `dueTick` of a timer whose turn has come and that will expire within this `advance`, unless cancelled. */
const EXPIRING = -2;

/** Something with a deadline. Intrusive: lives in at most one slot of one wheel. */
export abstract class Timer {
  /** Neighbours in the slot; owned by the wheel. */
  next: Timer | undefined = undefined;
  previous: Timer | undefined = undefined;
  /** Tick at which it is due, or one of the states above. Owned by the wheel. */
  dueTick: number = IDLE;

  /** Runs once when the deadline has passed; may schedule itself again. */
  abstract expired(): void;

  /** Runs instead when the wheel is closed: the deadline will never pass. */
  abandoned(): void {}
}

/** A wheel of timers, told the time by its owner. */
export class TimerWheel {
  readonly #slots: (Timer | undefined)[] = new Array<Timer | undefined>(SLOT_COUNT).fill(undefined);
  readonly #armed: (dueMs: number) => void;
  #tick: number;
  #count = 0;
  #isClosed = false;

  /**
   * @param nowMs - Monotonic time now.
   * @param armed - Called after each schedule with the time at which the wheel wants to be advanced for it.
   */
  constructor(nowMs: number, armed: (dueMs: number) => void) {
    this.#tick = Math.floor(nowMs / TICK_MS);
    this.#armed = armed;
  }

  /** Number of timers waiting. */
  get count(): number {
    return this.#count;
  }

  /** Makes a timer expire `delayMs` from `nowMs`; moves it if it is waiting already. */
  schedule(timer: Timer, nowMs: number, delayMs: number): void {
    this.cancel(timer);
    if (this.#isClosed) return;
    const delayTicks = Math.max(1, Math.ceil(delayMs / TICK_MS));
    const granularity = 1 << Math.max(0, 31 - Math.clz32(delayTicks) - COALESCE_SHIFT);
    const due = Math.ceil(Math.ceil(nowMs / TICK_MS + delayTicks) / granularity) * granularity;
    timer.dueTick = Math.max(due, this.#tick + 1);
    const slot = timer.dueTick % SLOT_COUNT;
    const head = this.#slots[slot];
    timer.next = head;
    timer.previous = undefined;
    if (head !== undefined) head.previous = timer;
    this.#slots[slot] = timer;
    this.#count++;
    this.#armed(timer.dueTick * TICK_MS);
  }

  /** Forgets a timer. Does nothing when it is not waiting. */
  cancel(timer: Timer): void {
    if (timer.dueTick >= 0) this.#unlink(timer);
    timer.dueTick = IDLE;
  }

  /** Expires everything that is due at `nowMs`. Returns how many. */
  advance(nowMs: number): number {
    const target = Math.floor(nowMs / TICK_MS);
    let expired = 0;
    // After a long sleep one revolution sees every slot; more would repeat it.
    let tick = Math.max(this.#tick, target - SLOT_COUNT);
    while (tick < target) {
      tick++;
      expired += this.#expireSlot(tick % SLOT_COUNT, target);
    }
    this.#tick = Math.max(this.#tick, target);
    return expired;
  }

  /** When the wheel next needs `advance`, in monotonic milliseconds; Infinity when nothing waits. */
  nextDueMs(): number {
    if (this.#count === 0) return Infinity;
    let best = Infinity;
    for (let distance = 1; distance <= SLOT_COUNT; distance++) {
      const tick = this.#tick + distance;
      for (let timer = this.#slots[tick % SLOT_COUNT]; timer !== undefined; timer = timer.next) {
        if (timer.dueTick < best) best = timer.dueTick;
      }
      if (best <= tick) break;
    }
    return best * TICK_MS;
  }

  /** Nothing expires any more: who waits is told by `abandoned`, and who comes waits in vain. */
  close(): void {
    this.#isClosed = true;
    const waiting = this.#slots.flatMap((_, slot) => this.#takeDue(slot, Infinity));
    runEach(waiting, (timer) => timer.abandoned());
  }

  #expireSlot(slot: number, target: number): number {
    return runEach(this.#takeDue(slot, target), (timer) => timer.expired());
  }

  /** Takes out what is due, to be run afterwards: a timer may cancel or schedule any other. */
  #takeDue(slot: number, target: number): Timer[] {
    const due: Timer[] = [];
    let timer = this.#slots[slot];
    while (timer !== undefined) {
      const following: Timer | undefined = timer.next;
      if (timer.dueTick <= target) {
        this.#unlink(timer);
        timer.dueTick = EXPIRING;
        due.push(timer);
      }
      timer = following;
    }
    return due;
  }

  #unlink(timer: Timer): void {
    if (timer.previous === undefined) this.#slots[timer.dueTick % SLOT_COUNT] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    timer.next = undefined;
    timer.previous = undefined;
    this.#count--;
  }
}

/** Runs the timers that were taken out, but for those that are cancelled or scheduled meanwhile. Returns how many. */
function runEach(due: readonly Timer[], run: (timer: Timer) => void): number {
  let count = 0;
  for (const timer of due) {
    if (timer.dueTick !== EXPIRING) continue;
    timer.dueTick = IDLE;
    count++;
    try {
      run(timer);
    } catch (error) {
      // The others are due all the same; the error reaches the runtime's handling of uncaught ones.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
  return count;
}

/** A timer that calls a function. */
export class CallbackTimer extends Timer {
  readonly #callback: () => void;
  readonly #abandoned: (() => void) | undefined;

  /** @param abandoned - Called instead when the wheel is closed before. */
  constructor(callback: () => void, abandoned?: () => void) {
    super();
    this.#callback = callback;
    this.#abandoned = abandoned;
  }

  override expired(): void {
    this.#callback();
  }

  override abandoned(): void {
    this.#abandoned?.();
  }
}
