/**
 * One connection of a client in a soak: what was sent, what came back, what is still missing.
 */
import { Buffer } from "node:buffer";
import { differenceFrom, MAX_MESSAGE_BYTES, messageOf } from "./message.mjs";
import { targetOf } from "./talk_plan.mjs";

/** Unanswered bytes beyond which a talk waits for echoes: enough to fill the buffers on the way, and then some. */
const WINDOW_BYTES = 16 << 20;

/** See the top of this file. */
export class Talk {
  sent = 0;
  received = 0;
  isClosed = false;
  /** Grows whenever anything happens: what stands still for long is stuck (see `Watch`). */
  progress = 0;
  name;
  end;
  /** Stays undefined until `open` has resolved. */
  peer;
  #ledger;
  #plan;
  /** Pings without an answer so far, oldest first. */
  #pings = [];
  #pingCount = 0;
  #waiters = [];
  #unansweredBytes = 0;
  #sizes = [];

  /**
   * @param plan - See talk_plan.mjs. On `stream` the server sends, else it echoes.
   * @param name - For messages.
   */
  constructor(ledger, plan, name) {
    this.#ledger = ledger;
    this.#plan = { minBytes: 0, maxBytes: MAX_MESSAGE_BYTES, code: 1000, reason: "", ...plan };
    this.name = `${name} ${plan.kind} ${plan.seed.toString(16)}`;
  }

  /** Opens the connection. @param open - See ringwire_peer.mjs. */
  async open(open, origin, options) {
    const on = {
      message: (bytes, isText) => this.#message(bytes, isText),
      pong: (text) => this.#pong(text),
      error: (code, error) => this.#error(code, error),
      close: (code, reason, wasClean) => this.#close(code, reason, wasClean),
    };
    this.peer = await open(origin + targetOf(this.#plan), { ...options, on });
    this.#ledger.count("connections");
    if (this.peer.isCompressed) this.#ledger.count("compressed connections");
    for (const word of this.peer.security ?? []) this.#ledger.count(`TLS connections, ${word}`);
    this.progress++;
    return this;
  }

  /** Sends the next message, or waits until it may. */
  async send() {
    while (this.#unansweredBytes > WINDOW_BYTES && !this.isClosed) await this.moved();
    if (this.isClosed) return;
    const { isText, bytes } = messageOf(this.#plan.seed, this.sent, this.#plan);
    for (;;) {
      const size = bytes.length;
      let status = "dropped";
      try {
        status = this.peer.send(bytes, isText);
      } catch (error) {
        if (error.code !== "ERR_BACKPRESSURE") throw error;
      }
      if (status !== "dropped") {
        this.#sizes.push(size);
        this.#unansweredBytes += size;
        this.sent++;
        this.progress++;
        this.#ledger.count("messages sent");
        this.#ledger.count("bytes sent", size);
        if (status === "queued") await this.#drained();
        return;
      }
      // Closed meanwhile, or full: then there will be room.
      if (this.isClosed) return;
      await this.#drained();
    }
  }

  async #drained() {
    this.#ledger.count("client waited for drain");
    await Promise.race([this.peer.drained(), this.closed()]);
    // A socket that is closing is drained at once, for ever: others need their turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Waits until every echo has come, or the connection has gone. */
  async settled() {
    while (this.received < this.sent && !this.isClosed) await this.moved();
  }

  ping() {
    const text = `ping ${this.#plan.seed} ${this.#pingCount++}`;
    this.#pings.push(text);
    this.peer.ping(text);
    this.#ledger.count("pings");
  }

  /** Waits for the answer to the latest ping: earlier ones may go without (RFC 6455 §5.5.3). */
  async ponged() {
    while (this.#pings.length > 0 && !this.isClosed) await this.moved();
  }

  /** Closes, and waits for the end. */
  async close() {
    this.peer.close(this.#plan.code, this.#plan.reason);
    await this.closed();
  }

  async closed() {
    while (!this.isClosed) await this.moved();
  }

  /** Resolves when anything has happened. */
  moved() {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Says what is wrong with this connection. */
  fail(text) {
    this.#ledger.fail(`${this.name}: ${text}`);
  }

  /** Fails unless the end was the one agreed on, with everything answered. */
  expectCleanEnd(received = this.sent) {
    const { code, reason } = this.#plan;
    const { end } = this;
    if (end.code !== code || end.reason !== reason || !end.wasClean) {
      this.fail(
        `closed with ${end.code} "${end.reason}" (${end.wasClean ? "clean" : "unclean"}), not ${code} "${reason}"`,
      );
    }
    if (this.received !== received)
      this.fail(`${received - this.received} of ${received} messages were lost`);
  }

  get state() {
    const state = this.peer === undefined ? "connecting" : this.isClosed ? "closed" : "open";
    return `${this.sent} sent, ${this.received} received, ${this.#pings.length} pings unanswered, ${state}`;
  }

  #message(bytes, isText) {
    const { kind, seed } = this.#plan;
    const index = this.received;
    if (this.isClosed) this.fail(`message ${index} came after the end`);
    if (kind !== "stream" && index >= this.sent) {
      this.fail(
        `${bytes.length} bytes came that nobody sent: ${Buffer.from(bytes).toString("latin1", 0, 32)}`,
      );
      return;
    }
    const wrong = differenceFrom(messageOf(seed, index, this.#plan), bytes, isText);
    if (wrong !== undefined) this.fail(`message ${index}: ${wrong}`);
    this.received++;
    this.#unansweredBytes -= this.#sizes.shift() ?? 0;
    this.#ledger.count("messages verified");
    this.#ledger.count("bytes verified", bytes.length);
    this.#move();
  }

  #pong(text) {
    // The answer to a ping of the library's own.
    if (text === "") return;
    const index = this.#pings.indexOf(text);
    if (index === -1) this.fail(`a pong came that answers nothing, or once too often: "${text}"`);
    else this.#ledger.count("pongs");
    this.#pings.splice(0, index + 1);
    this.#move();
  }

  #error(code, error) {
    this.#ledger.count(`error ${code}`);
    if (this.#plan.ends === "cleanly") this.fail(`${code}: ${error.message}`);
    this.#move();
  }

  #close(code, reason, wasClean) {
    if (this.isClosed) this.fail("told twice that it is closed");
    this.isClosed = true;
    this.end = { code, reason, wasClean };
    this.#ledger.count(`closed ${code < 3_000 ? code : "3000-4999"}`);
    this.#move();
  }

  #move() {
    this.progress++;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
