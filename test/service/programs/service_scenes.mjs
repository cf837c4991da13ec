/**
 * Small programs of their own, for what can only be seen from outside. Arguments: Ringwire's module, the scene, a transport, a URL.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , module, scene, transport, url] = process.argv;
const { Loop, Service } = await import(pathToFileURL(module).href);
const { Pool } = await import(pathToFileURL(module.replace("mod.", "pool/mod.")).href);
const { RateLimiter } = await import(pathToFileURL(module.replace("mod.", "limit/mod.")).href);
const loop = new Loop({ transport });
const service = new Service({ loop });

const SCENES = {
  /** Nobody is there: it must not end, however long the delay. */
  waits() {
    service.add({
      url,
      reconnect: { initialMs: 60_000, maxMs: 60_000 },
      closed: (reason) => console.log(reason.kind, reason.error.code),
    });
  },
  /** Nobody is there, and it gives up: it must end by itself. */
  stops() {
    service.add({
      url,
      reconnect: { initialMs: 1, attempts: 2 },
      closed: (_reason, _context, endpoint) => console.log(endpoint.state),
    });
  },
  /** Closed while it waits: it must end by itself. */
  closes() {
    service.add({
      url,
      closed: (reason) => {
        console.log(reason.kind);
        void service.close();
      },
    });
  },
  /** Its loop is closed while it waits: it must end by itself. */
  loses() {
    service.add({
      url,
      reconnect: { initialMs: 60_000, maxMs: 60_000 },
      closed: (reason, _context, endpoint) => {
        console.log(reason.kind, endpoint.state);
        setTimeout(() => loop.close(), 1);
      },
    });
  },
  /** Waits for a connection that cannot be had: it must not end before that is known, and then end by itself. */
  async acquires() {
    const pool = new Pool({ acquireTimeoutMs: 200, connect: { loop } });
    await pool.acquire(url).catch(({ code }) => console.log(code));
  },
  /** Waits for permits: it must not end before they are there. */
  async takes() {
    const limiter = new RateLimiter({ perSecond: 5, burst: 1, loop });
    await limiter.take();
    await limiter.take();
    console.log("taken");
  },
  /** Lives through what the test does to its network, and tells. */
  watches() {
    service.add({
      url,
      reconnect: { initialMs: 20, maxMs: 100 },
      connectTimeoutMs: 500,
      websocket: {
        pingIntervalMs: 100,
        // A busy machine's stalls are no broken network.
        pongTimeoutMs: 500,
        open: () => console.log("open"),
        message: () => undefined,
      },
      gap: ({ reason, durationMs, attempts }) =>
        console.log(
          `gap ${reason.kind} ${reason.error?.code} ${Math.round(durationMs)} ms ${attempts} attempts`,
        ),
      closed: ({ kind, error }) => console.log(`closed ${kind} ${error?.code}`),
    });
  },
};

SCENES[scene]();
