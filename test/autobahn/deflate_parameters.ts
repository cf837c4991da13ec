/**
 * The negotiation of permessage-deflate as Autobahn's cases do it: what the scripted peer offers as a client, accepts as a
 * server, and lets the other side answer (RFC 7692 §7.1). Not the parser under test.
 */

/** What Autobahn asks of the other side's compressor. */
export interface Wish {
  readonly noContextTakeover: boolean;
  /** 0 asks for nothing. */
  readonly windowBits: number;
}

/** How one side compresses. */
export interface Direction {
  readonly windowBits: number;
  readonly hasTakeover: boolean;
}

/** What was negotiated. */
export interface Agreement {
  readonly client: Direction;
  readonly server: Direction;
}

/** An agreement, and how the server puts it. */
export interface Acceptance {
  readonly answer: string;
  readonly agreement: Agreement;
}

const NAME = "permessage-deflate";
const FLAGS = ["server_no_context_takeover", "client_no_context_takeover"];
const WINDOWS = ["server_max_window_bits", "client_max_window_bits"];
const FULL_WINDOW_BITS = 15;

type Parameters = ReadonlyMap<string, string | true>;

/** The client's header for some wishes, the best one first. Every offer lets the server ask for anything. */
export function offersOf(wishes: readonly Wish[]): string {
  return wishes
    .map(({ noContextTakeover, windowBits }) =>
      [
        NAME,
        "client_no_context_takeover",
        "client_max_window_bits",
        ...(noContextTakeover ? ["server_no_context_takeover"] : []),
        ...(windowBits > 0 ? [`server_max_window_bits=${windowBits}`] : []),
      ].join("; "),
    )
    .join(",");
}

/**
 * What a server's answer to `offersOf(wishes)` means.
 *
 * @returns undefined when it declined.
 * @throws Error saying what is wrong with the answer.
 */
export function agreementOf(answer: string | undefined, wishes: readonly Wish[]): Agreement | undefined {
  if (answer === undefined) return undefined;
  const extensions = parsed(answer);
  if (extensions.length !== 1) throw new Error(`the answer names ${extensions.length} extensions: ${answer}`);
  const [parameters] = extensions;
  if (parameters.get("client_max_window_bits") === true) {
    throw new Error(`the answer's client_max_window_bits has no value: ${answer}`);
  }
  const isOffered = wishes.some(({ noContextTakeover, windowBits }) => {
    const isFresh = !noContextTakeover || parameters.has("server_no_context_takeover");
    return isFresh && (windowBits === 0 || bitsOf(parameters, "server_max_window_bits", 16) <= windowBits);
  });
  if (!isOffered) throw new Error(`the answer fits no offer: ${answer}`);
  return {
    client: directionOf(parameters, "client"),
    server: directionOf(parameters, "server"),
  };
}

/**
 * Answers a client's offers: the first wish that one of them allows, with all that the offer asks for.
 *
 * @returns undefined to decline.
 * @throws Error saying what is wrong with the offers.
 */
export function acceptanceOf(offers: string | undefined, wishes: readonly Wish[]): Acceptance | undefined {
  const all = offers === undefined ? [] : parsed(offers);
  for (const wish of wishes) {
    const offer = all.find((parameters) => wish.windowBits === 0 || parameters.has("client_max_window_bits"));
    if (offer !== undefined) return accepted(offer, wish);
  }
  return undefined;
}

function accepted(offer: Parameters, wish: Wish): Acceptance {
  const server = directionOf(offer, "server");
  // An offered value is a hint that the client uses no larger window: an answer must not exceed it (§7.1.2.2).
  const hintBits = bitsOf(offer, "client_max_window_bits", FULL_WINDOW_BITS);
  const clientBits = wish.windowBits === 0 ? 0 : Math.min(wish.windowBits, hintBits);
  return {
    answer: [
      NAME,
      ...(server.hasTakeover ? [] : ["server_no_context_takeover"]),
      ...(offer.has("server_max_window_bits") ? [`server_max_window_bits=${server.windowBits}`] : []),
      ...(wish.noContextTakeover ? ["client_no_context_takeover"] : []),
      ...(clientBits > 0 ? [`client_max_window_bits=${clientBits}`] : []),
    ].join("; "),
    agreement: {
      server,
      // What the offer says of the client's context is a hint as well, that it may still take over (§7.1.1.2).
      client: {
        windowBits: clientBits > 0 ? clientBits : FULL_WINDOW_BITS,
        hasTakeover: !wish.noContextTakeover,
      },
    },
  };
}

function directionOf(parameters: Parameters, side: "client" | "server"): Direction {
  return {
    windowBits: bitsOf(parameters, `${side}_max_window_bits`, FULL_WINDOW_BITS),
    hasTakeover: !parameters.has(`${side}_no_context_takeover`),
  };
}

function bitsOf(parameters: Parameters, name: string, fallback: number): number {
  const value = parameters.get(name);
  return typeof value === "string" ? Number(value) : fallback;
}

/** The parameters of each permessage-deflate in a header. */
function parsed(header: string): Parameters[] {
  return header.split(",").map((text) => {
    const [name, ...words] = text.split(";").map((word) => word.trim());
    if (name !== NAME) throw new Error(`an unknown extension is there: ${header}`);
    const parameters = new Map<string, string | true>();
    for (const word of words) {
      const [key, value] = word.split("=");
      if (parameters.has(key)) throw new Error(`${key} is there twice: ${header}`);
      if (!isLegal(key, value)) throw new Error(`${word} is no parameter: ${header}`);
      parameters.set(key, value ?? true);
    }
    return parameters;
  });
}

function isLegal(key: string, value: string | undefined): boolean {
  if (FLAGS.includes(key)) return value === undefined;
  if (!WINDOWS.includes(key)) return false;
  if (value === undefined) return key === "client_max_window_bits";
  return /^([89]|1[0-5])$/.test(value);
}
