/** The tab's icon says how many alerts fire, as far as that can be read there. */
import { describe, expect, it } from "vitest";
import { badged, marked } from "../src/alerts/tabicon";
import icon from "../src/icon.svg?raw";

describe("the tab's icon", () => {
  const drawing = (count: number, severity: "critical" | "warning" = "critical") =>
    decodeURIComponent(badged(icon, count, severity).replace("data:image/svg+xml,", ""));

  it("is the page's own with a number on it", () => {
    expect(drawing(2)).toContain(">2</text></svg>");
    expect(drawing(2)).toContain("<title>Tickboard</title>");
  });

  it("has another ground for warnings", () => {
    expect(drawing(1, "warning")).not.toBe(drawing(1));
  });

  it("says no more than nine", () => {
    expect(drawing(9)).toContain(">9</text>");
    expect(drawing(10_000)).toContain(">9+</text>");
  });

  it("says that the page is stale, and that it waits, each in its own way", () => {
    const all = ["stale", "waiting"].map((mark) => marked(icon, mark as "stale" | "waiting"));
    expect(new Set([...all, badged(icon, 1, "critical")]).size).toBe(3);
    // Nothing of a stale page has a colour.
    expect(decodeURIComponent(all[0])).not.toContain("#1f6feb");
  });
});
