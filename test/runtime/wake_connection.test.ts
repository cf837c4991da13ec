import { describe, expect, test } from "vitest";
import { WakeConnection } from "../../src/runtime/wake_connection.ts";

class FakeConnection {
  readonly calls: string[] = [];
  ref(): void {
    this.calls.push("ref");
  }
  unref(): void {
    this.calls.push("unref");
  }
  end(): void {
    this.calls.push("end");
  }
}

function newWake(): { wake: WakeConnection<FakeConnection>; connection: FakeConnection; errors: unknown[] } {
  const errors: unknown[] = [];
  const wake = new WakeConnection<FakeConnection>(
    (connection) => connection.end(),
    (error) => errors.push(error),
  );
  return { wake, connection: new FakeConnection(), errors };
}

describe("a wake-up connection", () => {
  test("does not keep the process alive at first", () => {
    const { wake, connection } = newWake();
    expect(wake.connected(connection)).toBe(true);
    expect(connection.calls).toEqual(["unref"]);
  });

  test("that was asked to keep the process alive before it stood does", () => {
    const { wake, connection } = newWake();
    wake.setAlive(true);
    wake.connected(connection);
    expect(connection.calls).toEqual([]);
    wake.setAlive(false);
    wake.setAlive(true);
    expect(connection.calls).toEqual(["unref", "ref"]);
  });

  test("that was closed before it stood ends at once", () => {
    const { wake, connection } = newWake();
    wake.close();
    expect(wake.connected(connection)).toBe(false);
    expect(connection.calls).toEqual(["end"]);
  });

  test("ends once, however often it is closed, and is left alone then", () => {
    const { wake, connection } = newWake();
    wake.connected(connection);
    wake.close();
    wake.close();
    wake.setAlive(true);
    expect(connection.calls).toEqual(["unref", "end"]);
  });

  test("tells of failures until it is closed", () => {
    const { wake, errors } = newWake();
    wake.fail("one");
    wake.close();
    wake.fail("two");
    expect(errors).toEqual(["one"]);
  });
});
