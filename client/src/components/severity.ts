/** The worst severity among alerts, and the thresholds of rules. */
import { createMemo } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import type { Limit } from "../chart/sparkline";
import type { Severity } from "../types.gen";
import { useStores } from "./context";

/** The worst severity that fires on some series or on whole metrics. @param keys their keys and names. */
export function useSeverity(keys: () => readonly string[]): () => Severity | undefined {
  const { alerts } = useStores();
  return createMemo(() => {
    const here = new Set(keys().map(alerts.severityOf));
    return SEVERITIES.find((severity) => here.has(severity));
  });
}

/**
 * The drawn thresholds, one of each severity: first that of a firing rule, otherwise the one likely to be crossed
 * first.
 */
export function useLimits(metric: string, severity: () => Severity | undefined): () => readonly Limit[] {
  const { board } = useStores();
  const all = createMemo(() => board.thresholdsOf([metric]));
  return createMemo(() => {
    const order = [...SEVERITIES]
      .reverse()
      .sort((one, other) => +(other === severity()) - +(one === severity()));
    return order.flatMap((one) => {
      const rule = all().find((rule) => rule.severity === one);
      return rule === undefined ? [] : { value: rule.threshold as number, severity: one };
    });
  });
}
