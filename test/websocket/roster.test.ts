import { describe, expect, test } from "vitest";
import { type Member, Roster } from "../../src/websocket/roster.ts";

const member = (): Member => ({ place: -1 });

describe("Roster", () => {
  test("has those that were added and not deleted, whoever goes first", () => {
    for (const [first, second] of [
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 2],
      [2, 0],
      [2, 1],
    ]) {
      const roster = new Roster();
      const members = [member(), member(), member()];
      for (const each of members) roster.add(each);
      roster.delete(members[first]);
      roster.delete(members[second]);
      expect([...roster]).toEqual([members[3 - first - second]]);
      expect(roster.size).toBe(1);
      roster.add(members[first]);
      expect(new Set(roster)).toEqual(new Set([members[first], members[3 - first - second]]));
    }
  });

  test("does not mind one that is not there, or has gone already", () => {
    const roster = new Roster();
    const [here, gone] = [member(), member()];
    roster.add(here);
    roster.delete(gone);
    roster.add(gone);
    roster.delete(gone);
    roster.delete(gone);
    expect([...roster]).toEqual([here]);
  });

  test("is walked as it was, whoever comes or goes meanwhile", () => {
    const roster = new Roster();
    const members = Array.from({ length: 5 }, member);
    for (const each of members) roster.add(each);
    const seen: Member[] = [];
    for (const each of roster) {
      seen.push(each);
      roster.delete(each);
      roster.add(member());
    }
    expect(seen).toEqual(members);
    expect(roster.size).toBe(5);
  });
});
