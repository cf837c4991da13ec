/**
 * Runs before each test file. Deno 2.9 lacks `parentPort.removeAllListeners`, which Vitest calls when a
 * worker has finished: without it every file that passed leaves an unhandled error. The worker ends right
 * after, so there is nothing to remove.
 */
import { parentPort } from "node:worker_threads";

if ("Deno" in globalThis && parentPort !== null) parentPort.removeAllListeners = () => parentPort;
