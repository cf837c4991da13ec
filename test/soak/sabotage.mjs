/**
 * Faults on purpose (`npm run soak -- --sabotage NAME`): proof that a soak finds what it is there to find. Each begins after a while of
 * being innocent.
 */

/** What can be done wrong, for --help and for the test that sees each one found. */
export const FAULTS = ["alter", "lose", "double", "swap", "descriptors", "memory"];

const INNOCENT_MESSAGES = 30;

/** Stands between the server and its sockets. Without a fault it only passes on. */
export class Sabotage {
  #fault;
  #openFile;
  #count = 0;
  #held;
  #hoard = [];

  /**
   * @param fault - One of FAULTS, or "" for none.
   * @param openFile - Opens a file and forgets it.
   */
  constructor(fault, openFile) {
    this.#fault = fault;
    this.#openFile = openFile;
  }

  /** Sends an echo, or something else. */
  send(ws, data, isText) {
    const send = () => ws.send(data);
    if (this.#fault === "" || this.#fault === undefined) return send();
    const isDue = ++this.#count >= INNOCENT_MESSAGES;
    switch (isDue ? this.#fault : "") {
      case "alter":
        if (isText || !(data instanceof Uint8Array) || data.length < 100) return send();
        data[60] ^= 4;
        this.#fault = "";
        return send();
      case "lose":
        this.#fault = "";
        return "sent";
      case "double":
        this.#fault = "";
        send();
        return send();
      case "swap":
        return this.#swap(ws, data, send);
      case "descriptors":
        if (this.#count % 50 === 0) this.#openFile("/dev/null", "r");
        return send();
      case "memory":
        this.#hoard.push(new Uint8Array(64 << 10).fill(this.#count));
        return send();
      default:
        return send();
    }
  }

  /** Keeps one message back until the next one of its connection has gone. */
  #swap(ws, data, send) {
    if (this.#held === undefined) {
      if (typeof data !== "string") return send();
      this.#held = { ws, data };
      return "sent";
    }
    if (this.#held.ws !== ws) return send();
    const status = send();
    ws.send(this.#held.data);
    this.#fault = "";
    return status;
  }
}
