/** What is traced on a canvas: gaps are gaps, lonely values are points, a stack adds up. */
import { describe, expect, it } from "vitest";
import { drawIsolated, traceArea, traceBetween, traceLine } from "../src/chart/painting";
import { Points } from "../src/chart/reduce";
import { addToStack, beginStack, stackExtent, stackPeaks } from "../src/chart/stack";

const gap = Number.NaN;

/** Writes down what a canvas would be asked to do. */
class Pen {
  steps: string[] = [];
  beginPath(): void {}
  fill(): void {}
  moveTo(x: number, y: number): void {
    this.steps.push(`M${x} ${y}`);
  }
  lineTo(x: number, y: number): void {
    this.steps.push(`L${x} ${y}`);
  }
  arc(x: number, y: number): void {
    this.steps.push(`O${x} ${y}`);
  }
  closePath(): void {
    this.steps.push("Z");
  }
}

const pen = (draw: (context: CanvasRenderingContext2D) => void): string => {
  const one = new Pen();
  draw(one as unknown as CanvasRenderingContext2D);
  return one.steps.join(" ");
};

const pointsOf = (values: readonly number[]): Points => {
  const points = new Points();
  points.length = values.length;
  points.times = Float64Array.from(values, (_, i) => i);
  points.values = Float64Array.from(values);
  return points;
};

const same = (value: number): number => value;

describe("a line", () => {
  it("has a gap where there is no value", () => {
    const points = pointsOf([1, 2, gap, 4, 5]);
    expect(pen((context) => traceLine(context, points, same, same))).toBe("M0 1 L1 2 M3 4 L4 5");
  });

  it("is a point where a value has a gap on both sides", () => {
    const points = pointsOf([1, gap, 3, gap, 5, 6]);
    expect(pen((context) => drawIsolated(context, points, same, same, 1))).toBe("O0 1 O2 3");
  });

  it("has an area under it that has the same gaps", () => {
    const points = pointsOf([1, 2, gap, 4]);
    expect(pen((context) => traceArea(context, points, same, same, 9))).toBe(
      "M0 9 L0 1 L1 2 L1 9 Z M3 9 L3 4 L3 9 Z",
    );
  });
});

describe("a stack", () => {
  const columns = [Float64Array.of(1, gap, gap), undefined, Float64Array.of(2, 5, gap)];

  it("adds up, with a gap only where all have one", () => {
    const sums = new Float64Array(3);
    beginStack(columns, sums);
    expect([...sums]).toEqual([0, 0, gap]);
    for (const column of columns) addToStack(column, sums);
    expect([...sums]).toEqual([3, 5, gap]);
  });

  it("knows its extent", () => {
    expect(stackExtent(columns, new Float64Array(3))).toEqual([0, 5]);
    expect(stackExtent([Float64Array.of(1), Float64Array.of(-3)], new Float64Array(1))).toEqual([-2, 1]);
    expect(stackExtent([], new Float64Array(3))).toEqual([gap, gap]);
  });

  it("of buckets has been at least as high as one line's highest value on the others' lowest", () => {
    const user = {
      values: Float64Array.of(20, 10, gap),
      lows: Float64Array.of(5, 10),
      highs: Float64Array.of(80, 10),
    };
    const system = {
      values: Float64Array.of(10, 30, gap),
      lows: Float64Array.of(8, 9),
      highs: Float64Array.of(11, 40),
    };
    const peaks = new Float64Array(3);
    const lines = [user, system];
    expect(
      stackPeaks(
        lines.map(({ values }) => values),
        lines,
        peaks,
      ),
    ).toBe(true);
    expect([...peaks]).toEqual([88, 50, gap]);
  });

  it("of buckets is never lower than its averages, also where a line has ticks", () => {
    const values = [Float64Array.of(20, 20), Float64Array.of(5, 5)];
    const wide = { lows: Float64Array.of(1, gap), highs: Float64Array.of(21, gap) };
    const peaks = new Float64Array(2);
    expect(stackPeaks(values, [wide, undefined], peaks)).toBe(true);
    expect([...peaks]).toEqual([26, 25]);
    expect(stackPeaks([values[0], values[0]], [wide, { ...wide, lows: Float64Array.of(0, 0) }], peaks)).toBe(
      true,
    );
    expect(peaks[0]).toBe(40);
  });

  it("of ticks has no peaks but its own", () => {
    expect(stackPeaks(columns, [undefined, undefined, undefined], new Float64Array(3))).toBe(false);
  });

  it("is filled between its lines", () => {
    const [upper, lower] = [pointsOf([3, gap, 5, 6]), pointsOf([1, gap, 2, 2])];
    expect(pen((context) => traceBetween(context, upper, lower, same, same))).toBe(
      "M0 3 L0 1 Z M2 5 L3 6 L3 2 L2 2 Z",
    );
  });
});
