/**
 * Agreeing on permessage-deflate: any list of extensions is read as a grammar of our own reads it; whatever clients offer, our
 * answer is legal by RFC 7692 §7.1 and we can keep to it; whatever servers answer, only what is legal is taken; and our client
 * always understands our server.
 */

import { RingwireError } from "../../../src/errors.ts";
import type { DeflateParameters } from "../../../src/protocol/codec.ts";
import { parseExtensions } from "../../../src/protocol/extension_list.ts";
import {
  answerOffers,
  checkAnswer,
  type DeflateAgreement,
  type DeflateTerms,
  writeOffers,
} from "../../../src/protocol/permessage_deflate.ts";
import { concat } from "../../protocol/frames.ts";
import { fromText } from "../byte_text.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { agree, type FuzzTarget, holds } from "../target.ts";

/** An element of the list, as the grammar of RFC 6455 §9.1 has it. */
interface Element {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly value: string | null }[];
}

/** The parameters of permessage-deflate, where they are legal; null: not there, "": without a value. */
interface Legal {
  readonly serverNoTakeover: boolean;
  readonly clientNoTakeover: boolean;
  readonly serverBits: string | null;
  readonly clientBits: string | null;
}

const NAME = "permessage-deflate";
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PARAMETER =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*=[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:\\?[!#$%&'*+\-.^_`|~0-9A-Za-z])+)"))?$/;
const BITS = /^(?:[89]|1[0-5])$/;
const MOST_ELEMENTS = 64;

const PIECES = [
  NAME,
  "; ",
  ", ",
  "server_no_context_takeover",
  "client_no_context_takeover",
  "server_max_window_bits",
  "client_max_window_bits",
  "=8",
  "=15",
  "=10",
  "=9",
  '="12"',
  '="1\\3"',
  "=7",
  "=16",
  "=08",
  "=+9",
  "=1e1",
  "=0x9",
  "=",
  '=""',
  '="1 0"',
  '="',
  "\\",
  " \t ",
  "Permessage-Deflate",
  "x-webkit-deflate-frame",
  "__proto__",
  "constructor",
  "toString",
  ";",
  ",",
  "é",
  "=999999999999999999999",
  "\u0000",
];

function strip(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

/** Reads the list with regular expressions. Neither "," nor ";" can stand in a quoted token, so that splitting is right. */
function readList(text: string): Element[] | undefined {
  const elements: Element[] = [];
  for (const part of text.split(",").map(strip)) {
    if (part === "") continue;
    const [name, ...rest] = part.split(";").map(strip);
    const matches = rest.map((each) => PARAMETER.exec(each));
    if (!TOKEN.test(name) || matches.includes(null)) return undefined;
    const parameters = matches.map((match) => ({
      name: match![1],
      value: match![2] ?? match![3]?.replaceAll("\\", "") ?? null,
    }));
    elements.push({ name, parameters });
  }
  return elements.length > MOST_ELEMENTS ? undefined : elements;
}

/** The parameters of an element, or undefined when RFC 7692 §7.1 makes it one to decline. */
function legalOf(element: Element, isOffer: boolean): Legal | undefined {
  const { parameters } = element;
  const names = parameters.map(({ name }) => name);
  if (element.name !== NAME || new Set(names).size !== names.length) return undefined;
  for (const { name, value } of parameters) {
    const isRight =
      name === "server_no_context_takeover" || name === "client_no_context_takeover"
        ? value === null
        : name === "server_max_window_bits"
          ? value !== null && BITS.test(value)
          : name === "client_max_window_bits"
            ? (value === null && isOffer) || (value !== null && BITS.test(value))
            : false;
    if (!isRight) return undefined;
  }
  const bitsOf = (name: string): string | null => {
    const found = parameters.find((each) => each.name === name);
    return found === undefined ? null : (found.value ?? "");
  };
  return {
    serverNoTakeover: names.includes("server_no_context_takeover"),
    clientNoTakeover: names.includes("client_no_context_takeover"),
    serverBits: bitsOf("server_max_window_bits"),
    clientBits: bitsOf("client_max_window_bits"),
  };
}

/** What a legal answer lets each side do. */
function largest(bits: string | null): number {
  return bits === null || bits === "" ? 15 : Number(bits);
}

function drawText(input: FuzzInput): string {
  if (input.byte() % 8 === 7) return String.fromCharCode(...input.rest());
  let text = "";
  for (let count = input.byte() % 24; count > 0; count--) {
    const piece = input.byte();
    if (piece < 100) {
      text += `${text === "" ? "" : input.chance(40) ? ", permessage-deflate; " : "; "}`;
      text += input.pick(PIECES.slice(3, 7)) + input.pick(["", ...PIECES.slice(7, 11)]);
    } else if (piece < 110) {
      text += String.fromCharCode(...input.take(3));
    } else text += PIECES[(piece - 110) % PIECES.length];
  }
  return input.chance(60) ? text : `${NAME}${text === "" ? "" : "; "}${text}`;
}

function drawTerms(input: FuzzInput): DeflateTerms {
  return {
    takeover: input.byte() % 2 === 0,
    windowBits: 15 - (input.byte() % 8),
    peerWindowBits: 15 - (input.byte() % 8),
  };
}

function checkBits({ windowBits, takeover }: DeflateParameters): void {
  holds(Number.isInteger(windowBits) && windowBits >= 8 && windowBits <= 15, "windows are 8 to 15 bits");
  holds(typeof takeover === "boolean", "takeover is known");
}

/** Whatever is offered, the answer is legal, and what we make of it fits. */
function checkServer(text: string, terms: DeflateTerms): DeflateAgreement | undefined {
  const agreement = answerOffers(text, terms);
  const offers = (readList(text) ?? []).map((element) => legalOf(element, true));
  const offer = offers.find((each) => each !== undefined);
  holds((agreement !== undefined) === (offer !== undefined), "an offer that can be met is met, no other");
  if (agreement === undefined || offer === undefined) return undefined;
  const elements = readList(agreement.text);
  holds(elements?.length === 1, "the answer is one extension");
  const answer = legalOf(elements[0], false);
  holds(answer !== undefined, "the answer is legal");
  holds(
    !offer.serverNoTakeover || answer.serverNoTakeover,
    "server_no_context_takeover is confirmed (§7.1.1.1)",
  );
  if (offer.serverBits !== null) {
    holds(
      answer.serverBits !== null && largest(answer.serverBits) <= largest(offer.serverBits),
      "server_max_window_bits is confirmed, the same or smaller (§7.1.2.1)",
    );
  }
  holds(
    answer.clientBits === null ||
      (offer.clientBits !== null && largest(answer.clientBits) <= largest(offer.clientBits)),
    "client_max_window_bits is asked of those who know it, and no more than they offer (§7.1.2.2)",
  );
  const { sending, receiving } = agreement;
  checkBits(sending);
  checkBits(receiving);
  holds(
    sending.windowBits <= largest(answer.serverBits),
    "we send with the window we said, or a smaller one",
  );
  holds(sending.windowBits <= terms.windowBits, "we send with no larger window than ours");
  holds(!(sending.takeover && answer.serverNoTakeover), "we keep no context when we said so");
  holds(terms.takeover || !sending.takeover, "we keep no context when we want none");
  holds(receiving.windowBits >= largest(answer.clientBits), "we can read what the client may send");
  holds(receiving.takeover || answer.clientNoTakeover, "we keep the context that the client may refer to");
  return agreement;
}

/** Whatever is answered, only what is legal is taken, and what we make of it fits. */
function checkClient(text: string, terms: DeflateTerms | undefined): DeflateAgreement | undefined {
  const elements = readList(text);
  let agreement: DeflateAgreement | undefined;
  let isRefused = false;
  try {
    agreement = checkAnswer(text, terms);
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    holds(error.code === "ERR_HANDSHAKE_FAILED", "a wrong answer fails the handshake");
    isRefused = true;
  }
  const answer = elements?.length === 1 ? legalOf(elements[0], false) : undefined;
  const isTooLarge =
    answer?.serverBits != null &&
    !answer.serverNoTakeover &&
    largest(answer.serverBits) > (terms?.peerWindowBits ?? 0);
  const isLegal = elements?.length === 0 || (terms !== undefined && answer !== undefined && !isTooLarge);
  agree("an answer is taken when it is legal", !isRefused, isLegal);
  holds(
    (agreement !== undefined) === (isLegal && elements?.length === 1),
    "no compression without an answer",
  );
  if (agreement === undefined || answer === undefined || terms === undefined) return undefined;
  const { sending, receiving } = agreement;
  checkBits(sending);
  checkBits(receiving);
  holds(
    sending.windowBits <= Math.min(largest(answer.clientBits), terms.windowBits),
    "we send with a window that fits",
  );
  holds(
    !(sending.takeover && (answer.clientNoTakeover || !terms.takeover)),
    "we keep no context that is not wanted",
  );
  holds(receiving.windowBits >= largest(answer.serverBits), "we can read what the server may send");
  holds(receiving.takeover || answer.serverNoTakeover, "we keep the context that the server may refer to");
  return agreement;
}

function fits(sending: DeflateParameters, receiving: DeflateParameters): boolean {
  return sending.windowBits <= receiving.windowBits && (!sending.takeover || receiving.takeover);
}

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const client = drawTerms(input);
  const server = drawTerms(input);
  const hasOffered = input.byte() % 4 !== 3;
  const text = drawText(input);
  const read = parseExtensions(text);
  const plain = read?.map(({ name, parameters }) => ({
    name,
    parameters: parameters.map((each) => ({ name: each.name, value: each.value ?? null })),
  }));
  agree("a list is read as the grammar has it", plain, readList(text));
  checkServer(text, server);
  checkClient(text, hasOffered ? client : undefined);

  const ours = checkServer(writeOffers(client), server);
  holds(ours !== undefined, "our server takes what our client offers");
  const theirs = checkClient(ours.text, client);
  holds(theirs !== undefined, "our client takes what our server answers");
  holds(fits(theirs.sending, ours.receiving), "our server can read our client");
  holds(fits(ours.sending, theirs.receiving), "our client can read our server");
}

function raw(text: string): Uint8Array {
  return concat(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7), fromText(text));
}

/** See the top of this file. */
export const deflateTermsTarget: FuzzTarget = {
  name: "deflate_terms",
  maxBytes: 120,
  covers: ["/src/"],
  seeds: [
    Uint8Array.of(0),
    Uint8Array.of(1, 7, 6, 0, 5, 3),
    raw(NAME),
    raw(`${NAME}; client_max_window_bits`),
    raw(`${NAME}; client_max_window_bits="1\\0"; server_max_window_bits=8`),
    raw(`${NAME}; server_max_window_bits, ${NAME}; server_no_context_takeover`),
    raw(`${NAME}; client_no_context_takeover=1, x; y="z"`),
    raw(`${NAME}; server_max_window_bits=10; server_max_window_bits=10`),
    raw(`${NAME}; __proto__=1; constructor`),
    raw(`${"x,".repeat(64)}${NAME}`),
    raw(` ,\t,, ${NAME} ; server_max_window_bits = "15" , ,`),
    raw(`${NAME}; a="b\\`),
  ],
  run,
};
