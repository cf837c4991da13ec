/** The openssl program as the other end, typed into like at a terminal. */

import { frame, KEY } from "../protocol/frames.ts";
import { Running } from "./processes.ts";
import type { Rig } from "./rig.ts";
import { authority } from "./secure.ts";

const REQUEST = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "\r\n",
].join("\r\n");

/** See the top of this file. It takes a line that begins with K, k or R as an order of its own. */
export class Openssl {
  readonly running: Running;

  private constructor(words: readonly string[]) {
    this.running = new Running("openssl", words, { OPENSSL_CONF: `${authority().folder}/openssl.cnf` });
  }

  /** `openssl s_client` that has opened a WebSocket to a server of ours. */
  static async client(rig: Rig, port: number, words: readonly string[]): Promise<Openssl> {
    const trust = ["-CAfile", authority().rootFile, "-verify_return_error", "-servername", "localhost"];
    const client = new Openssl(["s_client", "-connect", `127.0.0.1:${port}`, ...trust, ...words]);
    rig.after(() => client.running.kill());
    await client.running.see(/Verify return code: 0 \(ok\)/);
    await client.say(REQUEST);
    await client.running.see(/HTTP\/1\.1 101/);
    return client;
  }

  /** `openssl s_server` on a port of its own. */
  static async server(rig: Rig, words: readonly string[]): Promise<{ server: Openssl; port: number }> {
    const { certFile, keyFile } = authority().identity("local");
    const chain = ["-cert", certFile, "-cert_chain", certFile, "-key", keyFile];
    const server = new Openssl(["s_server", "-accept", "127.0.0.1:0", ...chain, ...words]);
    rig.after(() => server.running.kill());
    const port = (await server.running.see(/ACCEPT .*:(\d+)/))[1];
    return { server, port: Number(port) };
  }

  async say(data: string | Uint8Array): Promise<void> {
    this.running.child.stdin?.write(data);
    // It looks at the first character of each read: two writes must not become one.
    await new Promise((resolve) => setTimeout(resolve, 30));
  }

  /** As a client: a masked text frame, whose echo is seen unmasked. */
  async exchange(text: string): Promise<void> {
    await this.say(frame(0x81, text, { key: KEY }));
    await this.running.see(new RegExp(text));
  }
}
