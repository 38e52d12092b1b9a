/** Names that stand beside each other are short, and never look the same where they differ. */
import { describe, expect, it } from "vitest";
import { distinct, factored, LONGEST, named } from "../src/components/distinct";

describe("names beside each other", () => {
  it("stay as they are where they are short, or alone", () => {
    expect(distinct(["/", "/home"])).toEqual(["/", "/home"]);
    const long = "a".repeat(100);
    expect(distinct([long])).toEqual([long]);
    expect(distinct([long, long])).toEqual([long, long]);
    expect(distinct([])).toEqual([]);
  });

  it("show what differs, in whole words", () => {
    const name = (rack: string) => `dc-frankfurt-hall-b-${rack}-node-a.example.net`;
    expect(distinct([name("rack-0001"), name("rack-0002"), name("rack-0012")])).toEqual([
      "…frankfurt-hall-b-rack-0001…",
      "…frankfurt-hall-b-rack-0002…",
      "…frankfurt-hall-b-rack-0012…",
    ]);
  });

  it("show what differs at the ends", () => {
    const common = "/srv/data/archive/projects/shared/";
    expect(distinct([`${common}one`, `${common}two`])).toEqual([
      "…projects/shared/one",
      "…projects/shared/two",
    ]);
    expect(distinct([`one${common}`, `two${common}`])).toEqual([
      "one/srv/data/archive…",
      "two/srv/data/archive…",
    ]);
    expect(distinct([common, `${common}one`])[0]).not.toBe(distinct([common, `${common}one`])[1]);
  });

  it("lose the middle of what differs, where that is long", () => {
    const [one, other] = distinct([`a${"x".repeat(80)}1`, `b${"y".repeat(80)}2`]);
    expect([one.length, other.length]).toEqual([LONGEST - 2, LONGEST - 2]);
    expect([one[0], one.at(-1), other[0], other.at(-1)]).toEqual(["a", "1", "b", "2"]);
  });

  it("are left whole where they would look the same", () => {
    const name = (middle: string) => `a${"x".repeat(40)}${middle}${"x".repeat(40)}`;
    const names = [`${name("1")}p`, `${name("2")}p`, `b${name("1")}q`];
    expect(new Set(distinct(names)).size).toBe(3);
  });

  it("differ wherever the names do", () => {
    const words = ["rack", "node", "-", ".", "/", "0001", "0002", "eu", "west", "a", "ü", "…"];
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let round = 0; round < 500; round++) {
      const start = Array.from({ length: random(12) }, () => words[random(words.length)]).join("");
      const names = Array.from(
        { length: 2 + random(6) },
        () => start + Array.from({ length: random(14) }, () => words[random(words.length)]).join(""),
      );
      expect(new Set(distinct(names)).size).toBe(new Set(names).size);
    }
  });
});

describe("what names share", () => {
  it("is said once, and what differs is left", () => {
    const nodes = ["0-0", "1-7", "2-14"].map((id) => ({
      node: `ip-10-0-${id}.eu-west-1.compute.internal`,
      zone: "eu",
    }));
    expect(named(nodes)).toEqual({
      common: "zone = eu, node = ip-10-0-[…].eu-west-1.compute.internal",
      what: "node",
      parts: ["0-0", "1-7", "2-14"],
    });
  });

  it("is cut between words, and never takes all of a name", () => {
    expect(factored(["checkout-7f9c05", "checkout-7f9c01"])).toEqual({
      before: "checkout-",
      after: "",
      parts: ["7f9c05", "7f9c01"],
    });
    expect(factored(["worker", "worker-2"]).parts).toEqual(["worker", "worker-2"]);
    expect(factored(["a-1", "a-2"]).parts).toEqual(["a-1", "a-2"]);
    expect(factored(["same", "same"]).parts).toEqual(["same", "same"]);
  });

  it("leaves the values of all labels that differ", () => {
    const shards = [
      { region: "eu-west-1", shard: "0" },
      { region: "us-east-1", shard: "1" },
    ];
    expect(named(shards)).toEqual({
      common: "",
      what: "region / shard",
      parts: ["eu-west-1 / 0", "us-east-1 / 1"],
    });
  });
});
