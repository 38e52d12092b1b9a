/**
 * The texts of a card. Pure: numbers and labels in, texts out.
 *
 * A number that has the same unit as the large one does not repeat it on the screen; a screen reader gets it.
 */
import { type Extent, type Formatted, formatAverage, formatValue } from "../format";
import type { SeriesStats } from "../window/stats";

export interface Text {
  number: string;
  /** Empty where it is the metric's own, as that of the large number is. */
  unit: string;
  /** Whether the unit is to be seen, since it is not that of the large number. */
  ownUnit: boolean;
}

export interface CardTexts {
  now: Text;
  avg: Text;
  min: Text;
  max: Text;
}

export function cardTexts({ last, avg, min, max }: SeriesStats, unit: string): CardTexts {
  const extent: Extent = [min, max];
  const large = formatValue(last, unit, extent);
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
    min: beside(formatValue(min, unit, extent)),
    max: beside(formatValue(max, unit, extent)),
  };
}

/** What is to be seen of a number in the small line. */
export const seen = ({ number, unit, ownUnit }: Text): string => (ownUnit ? `${number} ${unit}` : number);

/** A title without the section's own at its beginning: "API latency" of "checkout API latency" in "checkout". */
export function titleIn(section: string, title: string): string {
  const starts = title.toLowerCase().startsWith(`${section.toLowerCase()} `);
  if (section === "" || !starts) return title;
  return title.slice(section.length).trimStart();
}

/** The names of the labels in which some series differ. */
export function differing(all: readonly Readonly<Record<string, string>>[]): string[] {
  const [first] = all;
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  return [...names].filter((label) => all.some((labels) => labels[label] !== first[label]));
}

/** The labels in which some series differ; of a single one all of its labels. */
export function onlyDiffering(
  all: readonly Readonly<Record<string, string>>[],
): readonly Readonly<Record<string, string>>[] {
  if (all.length < 2) return all;
  const names = new Set(differing(all));
  return all.map((labels) =>
    Object.fromEntries(Object.entries(labels).filter(([label]) => names.has(label))),
  );
}
