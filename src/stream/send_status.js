/** What becomes of what a program sends, on streams and WebSockets alike. */
export {};
