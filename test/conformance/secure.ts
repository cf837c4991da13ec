/** TLS for the conformance suite: an authority for each test file, and the `tls` options that go with it. */

import { afterAll, describe } from "vitest";
import type { ClientTlsOptions, ServerTlsOptions } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { TLS_SUPPORT, type TlsFeature } from "../../src/runtime/tls_support.ts";
import { Authority, type IdentityName, NO_OPENSSL } from "../tls/authority.mjs";
import { onEachTransport, type Rig } from "./rig.ts";

let made: Authority | undefined;

/** Makes certificates; the same one for the whole file. */
export function authority(): Authority {
  made ??= new Authority();
  return made;
}

/** Registers the same tests for each transport. Without openssl they are skipped, and that is said. */
export function onEachSecureTransport(name: string, body: (rig: Rig) => void): void {
  if (NO_OPENSSL !== undefined) console.warn(`SKIPPED: ${name} cannot run here: ${NO_OPENSSL}`);
  describe.skipIf(NO_OPENSSL !== undefined)("TLS", () => onEachTransport(name, body));
  afterAll(() => {
    made?.remove();
    made = undefined;
  });
}

const RUNTIME_NAMES = { bun: "Bun", deno: "Deno", node: "Node" } as const;

/** Whether a transport honours a setting. Over io_uring there is everything. */
export function honours(rig: Rig, feature: TlsFeature): boolean {
  return rig.kind === "uring" || TLS_SUPPORT[RUNTIME_NAMES[runtime.name]][feature];
}

/** A server's options that show `name`. */
export function serverTls(
  name: IdentityName = "local",
  more: Partial<ServerTlsOptions> = {},
): ServerTlsOptions {
  const { cert, key, passphrase } = authority().identity(name);
  return { cert, key, ...(passphrase === undefined ? {} : { passphrase }), ...more };
}

/** A client's options that trust the authority. */
export function clientTls(more: ClientTlsOptions = {}): ClientTlsOptions {
  return { ca: authority().root, ...more };
}
