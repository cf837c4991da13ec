/**
 * Agreeing on permessage-deflate (RFC 7692 §7.1), for either role: what a client offers, what a server answers, and what
 * follows from it for both directions.
 */
import { RingwireError } from "../errors.js";
import { parseExtensions } from "./extension_list.js";
const NAME = "permessage-deflate";
const SERVER_NO_TAKEOVER = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER = "client_no_context_takeover";
const SERVER_WINDOW = "server_max_window_bits";
const CLIENT_WINDOW = "client_max_window_bits";
const MIN_WINDOW_BITS = 8;
const MAX_WINDOW_BITS = 15;
/**
 * Writes the client's offers: the value of Sec-WebSocket-Extensions. Many servers cannot choose windows, and ws answers 400 to an
 * offer with smaller ones than its own. For them there is a second offer, which has the server forget its window after each
 * message instead: as good for our memory.
 */
export function writeOffers(terms) {
    const { takeover, windowBits, peerWindowBits } = terms;
    const plain = takeover ? [NAME] : [NAME, SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER];
    const theirs = peerWindowBits < MAX_WINDOW_BITS ? [`${SERVER_WINDOW}=${peerWindowBits}`] : [];
    // Always there, because it allows the server to ask for a smaller window; a value tells it what to expect (§7.1.2.2).
    const ours = windowBits < MAX_WINDOW_BITS ? `${CLIENT_WINDOW}=${windowBits}` : CLIENT_WINDOW;
    const first = [...plain, ...theirs, ours].join("; ");
    const forgetting = takeover && theirs.length > 0 ? [SERVER_NO_TAKEOVER] : [];
    const second = [...plain, ...forgetting, CLIENT_WINDOW].join("; ");
    return first === second ? first : `${first}, ${second}`;
}
/**
 * Chooses the first offer that can be met, as a server.
 *
 * @param offers - The client's Sec-WebSocket-Extensions.
 * @returns The agreement; undefined when there is none: the connection then goes uncompressed (§5).
 */
export function answerOffers(offers, terms) {
    for (const extension of parseExtensions(offers) ?? []) {
        if (extension.name !== NAME)
            continue;
        const offer = readParameters(extension, true);
        if (typeof offer !== "string")
            return answer(offer, terms);
    }
    return undefined;
}
function answer(offer, terms) {
    const serverTakeover = terms.takeover && !offer.serverNoTakeover;
    const serverBits = Math.min(terms.windowBits, offer.serverWindowBits ?? MAX_WINDOW_BITS);
    // A client that did not name client_max_window_bits must not be asked for a smaller window (§7.1.2.2). It can be asked to
    // forget its window after each message, and then one window of ours serves all such clients: memory stays as promised.
    const mayAsk = offer.clientWindowBits !== undefined;
    const isWindowTooLarge = !mayAsk && terms.peerWindowBits < MAX_WINDOW_BITS;
    const clientTakeover = terms.takeover && !offer.clientNoTakeover && !isWindowTooLarge;
    const clientBits = mayAsk
        ? Math.min(terms.peerWindowBits, offer.clientWindowBits)
        : MAX_WINDOW_BITS;
    const parts = [NAME];
    if (!serverTakeover)
        parts.push(SERVER_NO_TAKEOVER);
    if (!clientTakeover)
        parts.push(CLIENT_NO_TAKEOVER);
    // What the client asked for is confirmed by saying it (§7.1.2.1), the largest window too.
    if (offer.serverWindowBits !== undefined || serverBits < MAX_WINDOW_BITS) {
        parts.push(`${SERVER_WINDOW}=${serverBits}`);
    }
    if (mayAsk && clientBits < MAX_WINDOW_BITS)
        parts.push(`${CLIENT_WINDOW}=${clientBits}`);
    return {
        sending: { windowBits: serverBits, takeover: serverTakeover },
        receiving: { windowBits: clientBits, takeover: clientTakeover },
        text: parts.join("; "),
    };
}
/**
 * Checks the server's answer, as a client.
 *
 * @param text - The answer's Sec-WebSocket-Extensions; "" when it has none.
 * @param terms - What was offered; undefined when nothing was.
 * @returns The agreement; undefined when the server wants no compression.
 * @throws RingwireError `ERR_HANDSHAKE_FAILED` when it names what was not offered, or names it wrongly.
 */
export function checkAnswer(text, terms) {
    const extensions = parseExtensions(text);
    if (extensions === undefined) {
        throw failed(`Sec-WebSocket-Extensions ${JSON.stringify(text)} breaks its grammar (RFC 6455 §9.1)`);
    }
    for (const { name } of extensions) {
        if (terms === undefined || name !== NAME) {
            throw failed(`the server chose extension ${JSON.stringify(name)}, which was not offered (RFC 6455 §4.1, 5.)`);
        }
    }
    if (terms === undefined || extensions.length === 0)
        return undefined;
    if (extensions.length > 1)
        throw failed(`the server chose ${NAME} twice (RFC 7692 §5)`);
    const answer = readParameters(extensions[0], false);
    if (typeof answer === "string")
        throw failed(`${answer} (RFC 7692 §7.1)`);
    const serverBits = answer.serverWindowBits ?? MAX_WINDOW_BITS;
    // Without takeover it may be the answer to the second offer, where any window is welcome.
    if (answer.serverWindowBits !== undefined &&
        !answer.serverNoTakeover &&
        serverBits > terms.peerWindowBits) {
        throw failed(`${SERVER_WINDOW}=${serverBits} is more than the ${terms.peerWindowBits} that were offered (RFC 7692 §7.1.2.1)`);
    }
    return {
        sending: {
            // A larger value is within the rules: it binds nobody to use it (§7.1.2.2).
            windowBits: Math.min(terms.windowBits, answer.clientWindowBits ?? MAX_WINDOW_BITS),
            takeover: terms.takeover && !answer.clientNoTakeover,
        },
        // What the server did not confirm it may not keep to: then its messages need the largest window and earlier ones.
        receiving: { windowBits: serverBits, takeover: !answer.serverNoTakeover },
        text,
    };
}
function failed(rule) {
    return new RingwireError("ERR_HANDSHAKE_FAILED", `Cannot open the WebSocket: ${rule}`);
}
/** Reads the parameters of one element. Returns what is wrong with them as a text. */
function readParameters(extension, isOffer) {
    const read = {
        serverNoTakeover: false,
        clientNoTakeover: false,
        serverWindowBits: undefined,
        clientWindowBits: undefined,
    };
    for (const [index, parameter] of extension.parameters.entries()) {
        const { name } = parameter;
        if (extension.parameters.findIndex((other) => other.name === name) !== index) {
            return `parameter ${JSON.stringify(name)} of ${NAME} is repeated`;
        }
        if (!takeParameter(read, parameter, isOffer)) {
            return `${NAME} has the parameter ${JSON.stringify(written(parameter))}, which is unknown or has a bad value`;
        }
    }
    return read;
}
function takeParameter(into, { name, value }, isOffer) {
    switch (name) {
        case SERVER_NO_TAKEOVER:
            into.serverNoTakeover = true;
            return value === undefined;
        case CLIENT_NO_TAKEOVER:
            into.clientNoTakeover = true;
            return value === undefined;
        case SERVER_WINDOW:
            into.serverWindowBits = readWindowBits(value);
            return into.serverWindowBits !== undefined;
        case CLIENT_WINDOW:
            into.clientWindowBits = value === undefined && isOffer ? MAX_WINDOW_BITS : readWindowBits(value);
            return into.clientWindowBits !== undefined;
        default:
            return false;
    }
}
/** 8 to 15 in decimal, without leading zeros (§7.1.2.1); undefined for anything else. */
function readWindowBits(value) {
    const bits = Number(value);
    return bits >= MIN_WINDOW_BITS && bits <= MAX_WINDOW_BITS && String(bits) === value ? bits : undefined;
}
function written({ name, value }) {
    return value === undefined ? name : `${name}=${value}`;
}
