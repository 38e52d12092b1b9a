/**
 * The texts of a card. Pure: numbers and labels in, texts out.
 *
 * Numbers with the same unit as the large one do not repeat it on screen; screen readers get it.
 */
import { type Extent, type Formatted, formatAverage, formatValue } from "../format";
import type { SeriesStats } from "../window/stats";

export interface Text {
  number: string;
  /** Of the least and greatest, empty if all numbers use the metric's unit. */
  unit: string;
  /** Whether to show the unit, because it or that of a number beside it differs from the large number's. */
  ownUnit: boolean;
}

export interface CardTexts {
  now: Formatted;
  avg: Text;
  min: Text;
  max: Text;
}

/** @param whole whether all values are whole numbers. */
export function cardTexts({ last, avg, min, max }: SeriesStats, unit: string, whole = false): CardTexts {
  const extent: Extent = [min, max];
  const large = formatValue(last, unit, extent, whole);
  const small = [
    formatAverage(avg, unit, extent),
    ...extent.map((value) => formatValue(value, unit, extent, whole)),
  ];
  // One number with its unit beside others without would make them seem to have that unit.
  const ownUnit = small.some((each) => each.unit !== large.unit);
  const [average, low, high] = small.map(({ number, unit: shown }, place) => ({
    number,
    unit: place && !ownUnit && shown === unit ? "" : shown,
    ownUnit,
  }));
  return { now: large, avg: average, min: low, max: high };
}

/** The visible text of a number in the small line. */
export const seen = ({ number, unit, ownUnit }: Text): string => (ownUnit ? `${number} ${unit}` : number);

/**
 * Remove the section's title from the start of a title: "checkout API latency" in "checkout" is "API
 * latency".
 */
export function titleIn(section: string, title: string): string {
  const starts = title.toLowerCase().startsWith(`${section.toLowerCase()} `);
  if (section === "" || !starts) return title;
  return title.slice(section.length).trimStart();
}

/** The names of the labels that differ between series. Beside a host's name its own labels say nothing more. */
export function differing(all: readonly Readonly<Record<string, string>>[]): string[] {
  const [first] = all;
  const names = [...new Set(all.flatMap((labels) => Object.keys(labels)))];
  const found = names.filter((label) => all.some((labels) => labels[label] !== first[label]));
  if (!found.includes("host")) return found;
  const hosts = new Map(all.map((labels) => [labels.host, labels]));
  return found.filter(
    (label) => label === "host" || all.some((labels) => labels[label] !== hosts.get(labels.host)?.[label]),
  );
}

/** The labels that differ between series. A single series keeps all of its labels. */
export function onlyDiffering(
  all: readonly Readonly<Record<string, string>>[],
): readonly Readonly<Record<string, string>>[] {
  if (all.length < 2) return all;
  const names = new Set(differing(all));
  return all.map((labels) =>
    Object.fromEntries(Object.entries(labels).filter(([label]) => names.has(label))),
  );
}
