/**
 * Small programs of their own, for what can only be seen from outside. Arguments: Ringwire's module, the scene, a transport, a URL.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , module, scene, transport, url] = process.argv;
const { Loop, Service } = await import(pathToFileURL(module).href);
const service = new Service({ loop: new Loop({ transport }) });

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
  /** Lives through what the test does to its network, and tells. */
  watches() {
    service.add({
      url,
      reconnect: { initialMs: 20, maxMs: 100 },
      connectTimeoutMs: 200,
      websocket: {
        pingIntervalMs: 80,
        pongTimeoutMs: 80,
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
