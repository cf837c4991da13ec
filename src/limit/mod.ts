/**
 * Rate limits: a token bucket for whatever a program does, and, shared between sockets, for what they send and receive.
 *
 * @module
 */

export type { MessageRates, Rate, ReceiveLimit } from "./rate.ts";
export { RateLimiter, type RateLimiterOptions, type RateOptions, type TakeOptions } from "./rate_limiter.ts";
