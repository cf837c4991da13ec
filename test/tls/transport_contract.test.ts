/** The transport contract once more, with TLS on every connection: what is said of connections is true of what is inside of TLS. */

import { afterAll, describe } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { transportContract } from "../transport/transport_contract.ts";
import { Authority, NO_OPENSSL } from "./authority.mjs";
import { clientSettings, secured, serverSettings } from "./secured.ts";
import { openTransport, whyNot } from "./transports.ts";

if (NO_OPENSSL !== undefined) console.warn(`SKIPPED: tests of TLS cannot run here: ${NO_OPENSSL}`);

let authority: Authority | undefined;
afterAll(() => authority?.remove());

for (const kind of ["uring", "native"] as const) {
  describe.skipIf(NO_OPENSSL !== undefined || whyNot(kind) !== undefined)(`TLS over ${kind}`, () => {
    transportContract(`TLS over ${kind} on ${runtime.name}`, (limits) => {
      authority ??= new Authority();
      return secured(openTransport(kind, limits), serverSettings(authority), clientSettings(authority));
    });
  });
}
