/**
 * Rate limits: a token bucket for whatever a program does, and, shared between sockets, for what they send and receive.
 *
 * @module
 */
export { RateLimiter } from "./rate_limiter.js";
