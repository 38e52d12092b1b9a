/** The names of the series of a panel that has a row for each, in order of name. Pure. */
import { formatLine } from "../format";
import type { Series } from "../link/protocol";
import { onlyDiffering } from "./cardText";
import { distinct } from "./distinct";

export interface Named {
  series: Series;
  name: string;
  /** The distinguishing part of the name. */
  short: string;
}

const NAMES = new Intl.Collator("en", { numeric: true });

/**
 * @param titleOf the title of a metric, which names a series without labels, and one of several metrics.
 */
export function namedSeries(all: readonly Series[], titleOf: (metric: string) => string): Named[] {
  const several = new Set(all.map(({ name }) => name)).size > 1;
  const labels = onlyDiffering(all.map((one) => one.labels)).map(formatLine);
  const names = all.map(({ name }, i) =>
    several ? [titleOf(name), labels[i]].filter(Boolean).join(" · ") : labels[i] || titleOf(name),
  );
  const short = distinct(names);
  return all
    .map((series, i) => ({ series, name: names[i], short: short[i] }))
    .sort((one, other) => NAMES.compare(one.name, other.name));
}
