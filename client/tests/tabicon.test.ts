/** The tab's icon says how many alerts are critical, as far as that can be read there. */
import { describe, expect, it } from "vitest";
import icon from "../src/icon.svg?raw";
import { badged } from "../src/tabicon";

describe("the tab's icon", () => {
  const drawing = (count: number) =>
    decodeURIComponent(badged(icon, count).replace("data:image/svg+xml,", ""));

  it("is the page's own with a number on it", () => {
    expect(drawing(2)).toContain(">2</text></svg>");
    expect(drawing(2)).toContain("<title>Tickboard</title>");
  });

  it("says no more than nine", () => {
    expect(drawing(9)).toContain(">9</text>");
    expect(drawing(10_000)).toContain(">9+</text>");
  });
});
