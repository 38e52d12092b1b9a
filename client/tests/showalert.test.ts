import { describe, expect, it } from "vitest";
import { rangeAround } from "../src/components/showAlert";

describe("the range around an episode", () => {
  it("is as long as the one on the page, with the episode in its middle", () => {
    expect(rangeAround(100_000, 110_000, 60_000)).toEqual({ from: 75_000, to: 135_000 });
  });

  it("has as much before and after a long episode as it lasted", () => {
    expect(rangeAround(100_000, 200_000, 60_000)).toEqual({ from: 0, to: 300_000 });
  });
});
