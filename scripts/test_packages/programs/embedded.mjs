/** For `bun build --compile`: the shim travels inside the executable. */
import library from "@ringwire/linux-ARCH-gnu/libringwire.so" with { type: "file" };

process.env.RINGWIRE_LIBRARY = library;
await import("./echo.mjs");
