/**
 * The debug log: RINGWIRE_DEBUG=1 writes every diagnostic event to standard error as one line, RINGWIRE_DEBUG=connection,server those of these
 * kinds. Never what may be secret: no query or user of a URL, no header, no content of a message.
 */

/** See the top of this file. */
export class DebugLog {
  readonly #kinds: ReadonlySet<string>;
  readonly #nowMs: () => number;
  /** A number for each object, so that lines about the same connection can be told. */
  readonly #numbers: WeakMap<object, number> = new WeakMap();
  #count = 0;

  private constructor(kinds: ReadonlySet<string>, nowMs: () => number) {
    this.#kinds = kinds;
    this.#nowMs = nowMs;
  }

  /**
   * The log that an environment variable asks for; undefined for none. Kinds that do not exist are told once, as one would wait for their lines
   * in vain.
   *
   * @param value - `1`, or kinds of events with commas between.
   * @param events - All names of events: `kind:what`.
   * @param nowMs - The clock: monotonic milliseconds.
   */
  static from(
    value: string | undefined,
    events: readonly string[],
    nowMs: () => number,
  ): DebugLog | undefined {
    if (value === undefined || value === "" || value === "0") return undefined;
    const known = new Set(events.map((event) => kindOf(event)));
    if (value === "1") return new DebugLog(known, nowMs);
    const asked = value.split(",").map((kind) => kind.trim());
    const unknown = asked.filter((kind) => !known.has(kind));
    if (unknown.length > 0) {
      console.error(
        `ringwire: RINGWIRE_DEBUG names ${unknown.map((kind) => JSON.stringify(kind)).join(", ")}; known are 1 and ${[...known].join(", ")}`,
      );
    }
    return new DebugLog(new Set(asked), nowMs);
  }

  /** Whether events like this one are written. */
  shows(event: string): boolean {
    return this.#kinds.has(kindOf(event));
  }

  /** Writes one line, if events like this one are written. */
  write(event: string, message: object): void {
    if (!this.shows(event)) return;
    const words = Object.entries(message).map(([name, value]) => this.#word(name, value));
    console.error(`ringwire ${(this.#nowMs() / 1_000).toFixed(6)} ${event} ${words.join(" ")}`);
  }

  #word(name: string, value: unknown): string {
    if ((name === "socket" || name === "endpoint") && typeof value === "object" && value !== null) {
      return `${name}#${this.#numberOf(value)}`;
    }
    if (name === "url") return `url=${withoutSecrets(String(value))}`;
    if (value instanceof Error) {
      const code = "code" in value ? String(value.code) : value.name;
      return `${name}=${code} ${JSON.stringify(withoutSecrets(value.message))}`;
    }
    if (typeof value === "number" || typeof value === "boolean") return `${name}=${value}`;
    if (typeof value === "object" && value !== null && "host" in value && "port" in value) {
      return `${name}=${value.host}:${value.port}`;
    }
    // Quoted: what a peer said must not make lines of its own.
    return `${name}=${JSON.stringify(value)}`;
  }

  #numberOf(socket: object): number {
    const known = this.#numbers.get(socket);
    if (known !== undefined) return known;
    this.#numbers.set(socket, ++this.#count);
    return this.#count;
  }
}

function kindOf(event: string): string {
  return event.slice(0, event.indexOf(":"));
}

/** Takes user and query out of every URL in a text: both may hold secrets, and line ends, which would make lines of their own. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\/\/[^/@\s"]*@/g, "//")
    .replace(/\?[^\s"]*/g, "?…")
    .replace(/[\r\n]+/g, " ");
}
