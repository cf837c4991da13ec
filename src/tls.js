/**
 * TLS as the seam knows it: what a program's `tls` option says once it was checked, and what a handshake agreed on. Every
 * transport takes the same settings; who cannot honour one refuses it.
 */
export {};
