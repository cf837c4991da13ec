/**
 * What an HTTP/1.1 head says and whether it opens a WebSocket, a second time: regular expressions straight from the grammars
 * of RFC 9112 and RFC 6455, over the whole head at once. Shares no code with the parsers.
 */

/** A head that keeps to the grammar. */
export interface StrictHead {
  readonly sizeBytes: number;
  /** Of a request. */
  readonly method: string;
  readonly target: string;
  /** Of a response. */
  readonly status: number;
  readonly reason: string;
  readonly versionMinor: number;
  /** Names as they came. */
  readonly fields: readonly (readonly [string, string])[];
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const TEXT = "[\\t\\x20-\\x7e\\x80-\\xff]*";
const FIELD = `${TOKEN}:${TEXT}\\r\\n`;
const REQUEST = new RegExp(
  `^(?:\\r\\n)?(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([0-9])\\r\\n((?:${FIELD})*)\\r\\n`,
);
const RESPONSE = new RegExp(`^HTTP/1\\.([0-9]) ([1-9][0-9][0-9])(?: (${TEXT}))?\\r\\n((?:${FIELD})*)\\r\\n`);

/** Reads a head of characters that are bytes. Undefined: the text does not begin with one that is right and within the limits. */
export function readStrictly(
  kind: "request" | "response",
  text: string,
  limits: { readonly maxBytes: number; readonly maxHeaders: number },
): StrictHead | undefined {
  const match = (kind === "request" ? REQUEST : RESPONSE).exec(text);
  if (match === null || match[0].length > limits.maxBytes) return undefined;
  const lines = match[4].split("\r\n").slice(0, -1);
  if (lines.length > limits.maxHeaders) return undefined;
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [
      line.slice(0, colon),
      line
        .slice(colon + 1)
        .replace(/^[ \t]+/, "")
        .replace(/[ \t]+$/, ""),
    ];
  });
  const isRequest = kind === "request";
  return {
    sizeBytes: match[0].length,
    method: isRequest ? match[1] : "",
    target: isRequest ? match[2] : "",
    versionMinor: Number(isRequest ? match[3] : match[1]),
    status: isRequest ? 0 : Number(match[2]),
    reason: isRequest ? "" : (match[3] ?? ""),
    fields,
  };
}

/** Values of a field, whatever the case of its name. */
function valuesOf(head: StrictHead, name: string): string[] {
  return head.fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

function names(head: StrictHead, field: string, wanted: string): boolean {
  return valuesOf(head, field)
    .join(",")
    .split(",")
    .some((each) => each.replace(/^[ \t]+|[ \t]+$/g, "").toLowerCase() === wanted);
}

/** Whether a list is of different tokens. */
function isTokenList(values: readonly string[]): boolean {
  const elements = values
    .join(",")
    .split(",")
    .map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ""));
  return (
    elements.every((each) => new RegExp(`^${TOKEN}$`).test(each)) &&
    new Set(elements).size === elements.length
  );
}

/** Whether a request is an opening handshake that breaks no rule (RFC 6455 §4.2.1; RFC 9112 §3.2, §6.3). */
export function mayUpgrade(head: StrictHead): boolean {
  const hosts = valuesOf(head, "host");
  const lengths = valuesOf(head, "content-length");
  const keys = valuesOf(head, "sec-websocket-key");
  const versions = valuesOf(head, "sec-websocket-version");
  const protocols = valuesOf(head, "sec-websocket-protocol");
  return (
    head.method === "GET" &&
    head.versionMinor >= 1 &&
    hosts.length === 1 &&
    /^[a-zA-Z0-9\-._~!$&'()*+,;=%:[\]]*$/.test(hosts[0]) &&
    names(head, "upgrade", "websocket") &&
    names(head, "connection", "upgrade") &&
    keys.length === 1 &&
    /^[A-Za-z0-9+/]{22}==$/.test(keys[0]) &&
    versions.length === 1 &&
    versions[0] === "13" &&
    valuesOf(head, "origin").length <= 1 &&
    valuesOf(head, "transfer-encoding").length === 0 &&
    (lengths.length === 0 || (lengths.length === 1 && lengths[0] === "0")) &&
    (protocols.length === 0 || isTokenList(protocols))
  );
}

/** Whether a response opens the WebSocket that was asked for, without extensions (RFC 6455 §4.1). */
export function isUpgraded(head: StrictHead, accept: string, offered: readonly string[]): boolean {
  const upgrades = valuesOf(head, "upgrade");
  const accepts = valuesOf(head, "sec-websocket-accept");
  const protocols = valuesOf(head, "sec-websocket-protocol");
  return (
    head.status === 101 &&
    head.versionMinor >= 1 &&
    upgrades.length === 1 &&
    upgrades[0].toLowerCase() === "websocket" &&
    names(head, "connection", "upgrade") &&
    accepts.length === 1 &&
    accepts[0] === accept &&
    valuesOf(head, "sec-websocket-extensions").every((value) => /^[ \t,]*$/.test(value)) &&
    (protocols.length === 0 || (protocols.length === 1 && offered.includes(protocols[0])))
  );
}
