/** A chart is shaded while an alert fires on one of its lines, and once where several do. */
import { describe, expect, it } from "vitest";
import { type Episode, Episodes } from "../src/alerts/episodes";
import { shadesOf } from "../src/chart/shade";
import type { Alert } from "../src/types.gen";
import { alert, at } from "./world";

const episodes = (...alerts: Alert[]): Episode[] => {
  const known = new Episodes(100);
  known.take(alerts, false);
  return known.all;
};
const disk = (id: string, from: number, to: number | null, more: Partial<Alert> = {}): Alert =>
  alert(id, {
    ...{ metric: "disk", labels: { mount: id }, timestamp: at(from) },
    ...(to === null ? {} : { resolved: at(to) }),
    ...more,
  });
const drawn = new Set(['disk{mount="a"}', 'disk{mount="b"}']);

describe("the shades of a chart", () => {
  it("go from when the rule became true to its end, or on while it fires", () => {
    const all = episodes(disk("a", 5, 9, { started: at(3) }), disk("b", 20, null));
    expect(shadesOf(all, drawn)).toEqual([
      { from: 3_000, to: 9_000, severity: "warning" },
      { from: 20_000, to: Number.POSITIVE_INFINITY, severity: "warning" },
    ]);
  });

  it("are one where they overlap, and of the worst severity", () => {
    const all = episodes(
      disk("a", 5, 6, { severity: "critical" }),
      disk("b", 4, 8),
      disk("a", 1, 5, { id: "a2" }),
      disk("b", 2, 3, { id: "b2" }),
      disk("b", 7, null, { id: "b3", severity: "info" }),
    );
    expect(shadesOf(all, drawn)).toEqual([
      { from: 5_000, to: 6_000, severity: "critical" },
      { from: 1_000, to: 5_000, severity: "warning" },
      { from: 6_000, to: 8_000, severity: "warning" },
      { from: 8_000, to: Number.POSITIVE_INFINITY, severity: "info" },
    ]);
  });

  it("leave nothing of what is wholly under a worse one", () => {
    const all = episodes(
      disk("a", 1, 9, { severity: "critical" }),
      disk("b", 1, 9),
      disk("b", 2, 3, { id: "b2" }),
    );
    expect(shadesOf(all, drawn)).toEqual([{ from: 1_000, to: 9_000, severity: "critical" }]);
  });

  it("are of the lines that are drawn, or of the metric as a whole", () => {
    const all = episodes(disk("c", 1, 2), disk("d", 5, 6, { labels: undefined }));
    expect(shadesOf(all, drawn)).toEqual([{ from: 5_000, to: 6_000, severity: "warning" }]);
  });

  it("end where it was last seen when nobody knows how it ended", () => {
    const known = new Episodes(100);
    known.take([disk("a", 5, null, { seen: at(8) }), disk("b", 20, null)], false);
    known.take([], true);
    expect(shadesOf(known.all, drawn).map(({ to }) => to)).toEqual([8_000, 20_000]);
  });
});
