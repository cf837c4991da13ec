/** Fields that requests carry to say who asks, each in the form that its RFC wants. */

import { isFieldText } from "./header_list.ts";
import { isToken } from "./token.ts";

/** What {@linkcode requestHeaders} can say. */
export interface RequestHeaders {
  /** A token for `Authorization: Bearer` (RFC 6750 §2.1). */
  readonly bearer?: string;
  /** User and password for `Authorization: Basic` (RFC 7617), in UTF-8. Not together with `bearer`. */
  readonly basic?: { readonly user: string; readonly password: string };
  /** A key for the field `x-api-key`, or for the one named. */
  readonly apiKey?: string | { readonly name: string; readonly value: string };
  /** What the program calls itself, as `ticker/1.2` (RFC 9110 §10.1.5). */
  readonly userAgent?: string;
  /** Scheme, host and port that the request is made for, as `https://app.example` (RFC 6454 §7). */
  readonly origin?: string | URL;
  /** Cookies by name (RFC 6265 §4.2). */
  readonly cookies?: Readonly<Record<string, string>>;
}

const NAMES: readonly string[] = ["bearer", "basic", "apiKey", "userAgent", "origin", "cookies"];
/** RFC 6750 §2.1, b64token. */
const BEARER = /^[A-Za-z0-9._~+/-]+=*$/;
/** RFC 6265 §4.1.1, cookie-octet; the value may stand in quotes. */
const COOKIE_VALUE = /^(?:[!#-+\--:<-[\]-~]*|"[!#-+\--:<-[\]-~]*")$/;

/**
 * Makes header fields for `connect`: put what it returns into `headers`, beside others if you like. What would break a request's head,
 * a line end for instance, is refused; errors do not quote secrets.
 *
 * @returns Values by lower-case name.
 * @throws TypeError for what the field's grammar does not allow, and for unknown names.
 *
 * @example
 * ```ts
 * import { requestHeaders } from "ringwire";
 *
 * const headers = requestHeaders({ bearer: "2YotnFZFEjr1zCsicMWpAA", userAgent: "ticker/1.2", cookies: { session: "31d4d96e" } });
 * console.log({ ...headers, "x-account": "7" });
 * ```
 */
export function requestHeaders(given: RequestHeaders): Record<string, string> {
  for (const name of Object.keys(given)) {
    if (!NAMES.includes(name)) throw new TypeError(`Unknown name ${JSON.stringify(name)} in requestHeaders`);
  }
  const { bearer, basic, apiKey, userAgent, origin, cookies } = given;
  if (bearer !== undefined && basic !== undefined) {
    throw new TypeError(`Cannot send "bearer" and "basic": a request has one Authorization`);
  }
  const headers: Record<string, string> = {};
  if (bearer !== undefined) headers.authorization = bearerAuthorization(bearer);
  if (basic !== undefined) headers.authorization = basicAuthorization(basic.user, basic.password);
  if (apiKey !== undefined) {
    const { name, value } = typeof apiKey === "string" ? { name: "x-api-key", value: apiKey } : apiKey;
    if (!isToken(name))
      throw new TypeError(`Cannot send an API key as ${JSON.stringify(name)}: it is not a token`);
    headers[name.toLowerCase()] = checkText("the API key", value);
  }
  if (userAgent !== undefined) headers["user-agent"] = checkText("the user agent", userAgent);
  if (origin !== undefined) headers.origin = readOrigin(origin);
  if (cookies !== undefined) headers.cookie = writeCookies(cookies);
  return headers;
}

function bearerAuthorization(token: string): string {
  if (!BEARER.test(token))
    throw new TypeError("Cannot send the bearer token: it is not a b64token (RFC 6750 §2.1)");
  return `Bearer ${token}`;
}

/**
 * The value of Authorization for a user and a password, in UTF-8 (RFC 7617 §2.1).
 *
 * @throws TypeError when the user has a colon, or either a control character.
 */
export function basicAuthorization(user: string, password: string): string {
  if (user.includes(":")) throw new TypeError("Cannot send the user: it has a colon (RFC 7617 §2)");
  let bytes = "";
  for (const byte of new TextEncoder().encode(`${user}:${password}`)) {
    if (byte < 0x20 || byte === 0x7f) {
      throw new TypeError(
        "Cannot send user and password: there is a control character in them (RFC 7617 §2)",
      );
    }
    bytes += String.fromCharCode(byte);
  }
  return `Basic ${btoa(bytes)}`;
}

function checkText(what: string, value: string): string {
  if (typeof value !== "string" || value.trim() !== value || value === "" || !isFieldText(value)) {
    throw new TypeError(
      `Cannot send ${what}: it is empty, has a space at an end, or a character that no field may have`,
    );
  }
  return value;
}

function readOrigin(given: string | URL): string {
  if (given === "null") return given;
  const text = String(given);
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin !== "null" && (given instanceof URL || origin === text)) return origin;
  throw new TypeError(
    `Cannot send origin ${JSON.stringify(text)}: it is not a scheme, a host and a port alone (RFC 6454 §6.2)`,
  );
}

function writeCookies(cookies: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(cookies).map(([name, value]) => {
    if (!isToken(name))
      throw new TypeError(`Cannot send cookie ${JSON.stringify(name)}: its name is not a token`);
    if (!COOKIE_VALUE.test(value)) {
      throw new TypeError(
        `Cannot send cookie ${JSON.stringify(name)}: its value has a character that must be escaped (RFC 6265 §4.1.1)`,
      );
    }
    return `${name}=${value}`;
  });
  if (pairs.length === 0) throw new TypeError("Cannot send cookies: there are none");
  return pairs.join("; ");
}
