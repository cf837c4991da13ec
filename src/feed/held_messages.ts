/**
 * Messages that cannot be used yet, by rising number: those behind a hole, and those that wait for a snapshot.
 */

/** A message and its place in the sequence. */
export interface HeldMessage<Message> {
  readonly previous: number;
  readonly sequence: number;
  readonly message: Message;
  readonly receivedNs: number;
}

/** Unused places at the front beyond which the list is moved together. */
const COMPACT_AT = 1_024;

/** See the top of this file. Taking the first and adding the last are O(1). */
export class HeldMessages<Message> {
  #list: HeldMessage<Message>[] = [];
  #start = 0;

  get count(): number {
    return this.#list.length - this.#start;
  }

  /** The one with the smallest number. */
  get first(): HeldMessage<Message> | undefined {
    return this.#list[this.#start];
  }

  /** Returns false when its number is there already, unless it begins earlier: then it takes the other's place. */
  add(held: HeldMessage<Message>): boolean {
    const list = this.#list;
    let at = list.length;
    while (at > this.#start && list[at - 1].sequence > held.sequence) at--;
    if (at > this.#start && list[at - 1].sequence === held.sequence) {
      if (held.previous >= list[at - 1].previous) return false;
      list[at - 1] = held;
    } else if (at === list.length) list.push(held);
    else list.splice(at, 0, held);
    return true;
  }

  removeFirst(): void {
    this.#start++;
    if (this.#start === this.#list.length) this.clear();
    else if (this.#start === COMPACT_AT) {
      this.#list = this.#list.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Drops those up to and including a number. */
  dropUntil(sequence: number): void {
    for (let { first } = this; first !== undefined && first.sequence <= sequence; { first } = this)
      this.removeFirst();
  }

  clear(): void {
    this.#list = [];
    this.#start = 0;
  }
}
