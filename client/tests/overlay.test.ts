/** What is behind the lines: where ranges and marks are drawn. */
import { describe, expect, it } from "vitest";
import { drawOverlay, type Overlay } from "../src/chart/overlay";
import type { Colors } from "../src/chart/palette";
import type { Surface } from "../src/chart/surface";
import type { TimeAxis } from "../src/chart/timeaxis";

const AXIS: TimeAxis = { from: 0, to: 100, left: 50, width: 100, top: 8, height: 60 };

/** Writes down what a canvas would be asked to do. */
class Pen {
  steps: string[] = [];
  fillStyle = "";
  strokeStyle = "";
  globalAlpha = 1;
  fillRect(...place: number[]): void {
    this.steps.push(`${this.fillStyle}@${this.globalAlpha} ${place.join(" ")}`);
  }
  fillText(text: string, x: number): void {
    this.steps.push(`${text} ${x}`);
  }
  measureText(text: string): { width: number } {
    return { width: 5 * text.length };
  }
  private from = "";
  beginPath(): void {}
  moveTo(x: number, y: number): void {
    this.from = `${x} ${y}`;
  }
  lineTo(x: number, y: number): void {
    if (this.from !== "") this.steps.push(`${this.strokeStyle} ${this.from} to ${x} ${y}`);
    this.from = "";
  }
  stroke(): void {}
  fill(): void {}
  setLineDash(dashes: number[]): void {
    if (dashes.length > 0) this.steps.push("dotted");
  }
}

const colors = {
  sunken: "grey",
  edgeStrong: "edge",
  accent: "accent",
  selection: 0.1,
  textFaint: "faint",
  textSoft: "soft",
} as Colors;

function drawn(overlay: Partial<Overlay>): string[] {
  const pen = new Pen();
  const surface = { context: pen, begin: () => pen, sharp: (place: number) => place };
  drawOverlay(surface as unknown as Surface, AXIS, { ranges: [], marks: [], ...overlay }, colors);
  return pen.steps;
}

describe("a chosen range", () => {
  it("is shaded, with a line at both ends", () => {
    expect(drawn({ ranges: [{ from: 20, to: 60, kind: "chosen" }] })).toEqual([
      "accent@0.1 70 8 40 60",
      "accent 70 8 to 70 68",
      "accent 110 8 to 110 68",
    ]);
  });

  it("is cut at the ends of the axis, without a line there", () => {
    expect(drawn({ ranges: [{ from: -50, to: 60, kind: "chosen" }] })).toEqual([
      "accent@0.1 50 8 60 60",
      "accent 110 8 to 110 68",
    ]);
    expect(drawn({ ranges: [{ from: -50, to: -1, kind: "chosen" }] })).toEqual([]);
  });
});

describe("the range before", () => {
  it("is grey and says so, if there is room", () => {
    expect(drawn({ ranges: [{ from: 0, to: 60, kind: "before" }] })).toEqual([
      "grey@1 50 8 60 60",
      "edge 50 8 to 50 68",
      "before 56",
    ]);
    expect(drawn({ ranges: [{ from: 0, to: 30, kind: "before" }] })).not.toContain("before 56");
  });
});

describe("a mark", () => {
  it("is a dotted line with a flag", () => {
    const steps = drawn({ marks: [{ began: 25, ended: 25 }] });
    expect(steps.slice(0, 2)).toEqual(["dotted", "faint 75 8 to 75 68"]);
    expect(steps).toHaveLength(3);
  });

  it("that lasts has a bar as long, also if it began before", () => {
    expect(drawn({ marks: [{ began: -25, ended: 40 }] })).toEqual(["soft@1 50 8 40 2"]);
  });

  it("beside the axis is not drawn", () => {
    expect(
      drawn({
        marks: [
          { began: 101, ended: 101 },
          { began: -9, ended: -1 },
        ],
      }),
    ).toEqual([]);
  });
});
