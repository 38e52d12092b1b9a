/**
 * The texts of a card. Pure: numbers and labels in, texts out.
 *
 * A number with the same unit as the large one does not repeat it on screen; screen readers get it.
 */
import { type Extent, type Formatted, formatAverage, formatValue } from "../format";
import type { SeriesStats } from "../window/stats";

export interface Text {
  number: string;
  /** Empty if both this number and the large one use the metric's unit. */
  unit: string;
  /** Whether to show the unit, because it differs from the large number's. */
  ownUnit: boolean;
}

export interface CardTexts {
  now: Text;
  avg: Text;
  min: Text;
  max: Text;
}

/** @param whole whether all values are whole numbers. */
export function cardTexts({ last, avg, min, max }: SeriesStats, unit: string, whole = false): CardTexts {
  const extent: Extent = [min, max];
  const large = formatValue(last, unit, extent, whole);
  const beside = (formatted: Formatted): Text => {
    const ownUnit = formatted.unit !== large.unit;
    return {
      number: formatted.number,
      unit: ownUnit || formatted.unit !== unit ? formatted.unit : "",
      ownUnit,
    };
  };
  const average = formatAverage(avg, unit, extent);
  return {
    now: { ...large, ownUnit: true },
    avg: { ...average, ownUnit: average.unit !== large.unit },
    min: beside(formatValue(min, unit, extent, whole)),
    max: beside(formatValue(max, unit, extent, whole)),
  };
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

/** The names of the labels that differ between series. */
export function differing(all: readonly Readonly<Record<string, string>>[]): string[] {
  const [first] = all;
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  return [...names].filter((label) => all.some((labels) => labels[label] !== first[label]));
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
