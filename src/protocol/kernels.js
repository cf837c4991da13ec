/**
 * The two byte loops that dominate big messages, as a parameter: the protocol runs them in
 * TypeScript; the io_uring transport hands large ranges to SIMD code in the shim.
 */
export {};
