/**
 * Programs of their own with TLS, for what is only seen from outside: what is printed, and whether a process ends. Arguments: Ringwire's
 * module, the scene, a transport, and a folder of test/tls/authority.mjs with what the scene needs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const [, , module, scene, transport, folder] = process.argv;
const { Loop, connect, serve } = await import(pathToFileURL(module).href);

const read = (file) => readFileSync(join(folder, file), "utf8");
const identity = (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });
const echo = { message: (ws, data) => void ws.send(data) };
const loop = new Loop({ transport });
const start = (tls) => serve({ loop, port: 0, hostname: "127.0.0.1", tls, websocket: echo });
const ca = read("root.pem");

/** Everything that an error says to whoever prints it. */
function print(error) {
  console.log(error.code ?? error.name);
  console.log(inspect(error, { depth: 12, showHidden: true }));
  console.log(error.stack, String(error.cause), error.cause?.stack);
}

async function attempt(work) {
  try {
    await work();
    console.log("no error");
  } catch (error) {
    print(error);
  }
}

async function exchange(server, tls) {
  const socket = await connect(server.url, { loop, tls });
  socket.send("hello");
  for await (const message of socket) {
    console.log(`echo ${message.text()}`);
    break;
  }
  socket.close();
  await socket.closed;
}

const SCENES = {
  /** A client and a server that both close: the process must end by itself. */
  async closes() {
    const server = await start(identity("local"));
    await exchange(server, { ca });
    await server.stop();
    console.log("done");
  },
  /** Verification turned off is said, once, with the host. */
  async insecure() {
    const server = await start(identity("selfSigned"));
    for (let round = 0; round < 3; round++) await exchange(server, { rejectUnauthorized: false });
    await server.stop();
  },
  /** Everything that goes wrong with keys and secrets near by, with all that errors tell. */
  async secrets() {
    const { cert, key } = identity("local");
    const other = identity("rsa");
    const locked = identity("encrypted");
    const passphrase = "a passphrase that is wrong";
    await attempt(() => start({ cert, key: other.key }));
    await attempt(() => start({ cert: locked.cert, key: locked.key }));
    await attempt(() => start({ cert: locked.cert, key: locked.key, passphrase }));
    await attempt(() => start({ cert, key: key.replace("PRIVATE KEY", "SECRET KEY") }));
    await attempt(() => start({ cert: key, key }));
    await attempt(() => start({ cert, key: `${key}${key}` }));
    await attempt(() => start({ cert, key, passphrase: 7 }));
    await attempt(() => start({ cert, key, unknown: key }));
    await attempt(() => start({ cert, key, sni: { "a b": { cert, key } } }));
    const server = await start({ cert, key });
    await exchange(server, { ca });
    await attempt(() => connect(server.url, { loop, tls: {} }));
    await attempt(() => connect(server.url, { loop, tls: { ca, cert, key: other.key } }));
    await attempt(() => connect(server.url, { loop, tls: { ca, servername: "wrong.test" } }));
    await attempt(() =>
      connect(server.url, { loop, tls: { ca, maxVersion: "TLSv1.2", alpnProtocols: ["x"] } }),
    );
    await attempt(() => server.updateTls({ cert, key: other.key }));
    console.log(inspect(server, { depth: 12, showHidden: true }));
    const socket = await connect(server.url, { loop, tls: { ca } });
    console.log(inspect(socket, { depth: 12, showHidden: true }), inspect(socket.tls));
    console.log(inspect(loop, { depth: 12, showHidden: true }));
    socket.terminate();
    await server.stop({ graceMs: 0 });
  },
  /** SSLKEYLOGFILE says where keys go. */
  async logsKeys() {
    const server = await start(identity("local"));
    await exchange(server, { ca });
    await server.stop();
  },
};

await SCENES[scene]();
