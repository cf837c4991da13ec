/** One of the exchange's two lines, and everything that goes wrong with it. */
import type { Socket } from "ringwire";

/**
 * What is wrong now. `lose`, `repeat`, `shuffle`: with messages, at random. `lag`: they come late. `mute`: they do not come at all,
 * while the connection stays. `refuse`: nobody gets in. `none`: all is well.
 */
type Trouble = "none" | "lose" | "repeat" | "shuffle" | "lag" | "mute" | "refuse";

/** What happens to all connections at once: a reset, an orderly end, the cut that venues make every 24 hours. */
type Blow = "reset" | "close" | "cut";

const TROUBLES: readonly Trouble[] = ["lose", "repeat", "shuffle", "lag", "mute", "refuse"];
const BLOWS: readonly Blow[] = ["reset", "close", "cut"];
const BLOW_SHARE = 0.4;
const SHORTEST_MS = 50;
const LONGEST_MS = 400;
const LAG_MS = 15;

/** Messages go to all connections of a line, through its troubles. */
export class BrokenLine {
  readonly name: string;
  /** How often each thing went wrong. */
  readonly faults: Map<string, number> = new Map();
  readonly #sockets = new Set<Socket<BrokenLine>>();
  readonly #random: () => number;
  readonly #meanMs: number;
  #trouble: Trouble = "none";
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** With `shuffle`: a message that others overtake. */
  #behind: string | undefined = undefined;
  readonly #late: { readonly text: string; readonly dueMs: number }[] = [];

  /** @param meanMs - Mean time between faults, milliseconds; 0: there are none. */
  constructor(name: string, meanMs: number, random: () => number) {
    this.name = name;
    this.#meanMs = meanMs;
    this.#random = random;
    if (meanMs > 0) this.#wait();
  }

  get isRefusing(): boolean {
    return this.#trouble === "refuse";
  }

  add(ws: Socket<BrokenLine>): void {
    this.#sockets.add(ws);
  }

  remove(ws: Socket<BrokenLine>): void {
    this.#sockets.delete(ws);
  }

  publish(text: string): void {
    switch (this.#trouble) {
      case "mute":
        return;
      case "lose":
        if (this.#random() < 0.2) return;
        break;
      case "repeat":
        if (this.#random() < 0.5) this.#send(text);
        break;
      case "shuffle":
        if (this.#behind === undefined && this.#random() < 0.3) {
          this.#behind = text;
          return;
        }
        break;
      case "lag":
        this.#late.push({ text, dueMs: performance.now() + LAG_MS });
        return;
    }
    this.#send(text);
    if (this.#behind !== undefined && this.#random() < 0.3) this.#catchUp();
  }

  /** Sends what lags, when its time has come. */
  tick(): void {
    const nowMs = performance.now();
    while (this.#late.length > 0 && this.#late[0].dueMs <= nowMs) this.#send(this.#late.shift()!.text);
  }

  /** No more troubles. */
  heal(): void {
    clearTimeout(this.#timer);
    this.#end();
  }

  /** The next fault comes at a random time: exponentially distributed, so that it does not know of the last one. */
  #wait(): void {
    const delayMs = -Math.log(1 - this.#random()) * this.#meanMs;
    this.#timer = setTimeout(() => this.#begin(), delayMs);
  }

  #begin(): void {
    if (this.#random() < BLOW_SHARE) {
      this.#strike(this.#pick(BLOWS));
      this.#wait();
      return;
    }
    this.#trouble = this.#pick(TROUBLES);
    this.#count(this.#trouble);
    const lastsMs = SHORTEST_MS + this.#random() * (LONGEST_MS - SHORTEST_MS);
    this.#timer = setTimeout(() => {
      this.#end();
      this.#wait();
    }, lastsMs);
  }

  #strike(blow: Blow): void {
    this.#count(blow);
    for (const ws of this.#sockets) {
      if (blow === "reset") ws.terminate();
      else if (blow === "close") ws.close(1012, "service restart");
      else ws.close(1001, "24 hours are over");
    }
  }

  #end(): void {
    this.#trouble = "none";
    this.#catchUp();
    for (const { text } of this.#late.splice(0)) this.#send(text);
  }

  #catchUp(): void {
    if (this.#behind !== undefined) this.#send(this.#behind);
    this.#behind = undefined;
  }

  #send(text: string): void {
    for (const ws of this.#sockets) ws.send(text);
  }

  #count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  #pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[Math.floor(this.#random() * choices.length)];
  }
}
