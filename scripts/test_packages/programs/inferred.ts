/**
 * A library that uses Ringwire and leaves its types to the compiler (this checkout may not: tsconfig.json leaves this file out). Its declarations have to
 * name `ringwire`, which its users have, and not where the declarations of `ringwire` lie.
 */
import { connect, Loop, type RateLimiter, serve } from "ringwire";
import type { Arbiter } from "ringwire/feed";
import { RateLimiter as OfLimit } from "ringwire/limit";

export const listen = (loop: Loop) =>
  serve({ port: 0, loop, websocket: { message: (ws, data) => void ws.send(data) } });
export const dial = (url: string) => connect(url);
export const makeLoop = () => new Loop();
export const socketOf = async (url: string) => (await connect(url)).tls;
export const arbiters = new Map<string, Arbiter>();
/** One class, wherever it is imported from. */
export const limiter: RateLimiter = new OfLimit({ perSecond: 1 });
