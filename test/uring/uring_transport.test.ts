import { describe } from "vitest";
import { transportContract } from "../transport/transport_contract.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

describe.skipIf(missing !== undefined)("io_uring", () => {
  transportContract("io_uring", (limits) => openTestTransport({}, limits));
});
