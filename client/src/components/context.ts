/**
 * The stores of one page, passed to its components. main.tsx creates them. A component reads its data from
 * here and must not create a store.
 */
import type { AlertStore } from "../stores/alerts";
import type { BellStore } from "../stores/bell";
import type { BoardStore } from "../stores/board";
import type { BrushStore } from "../stores/brush";
import type { ComparisonStore } from "../stores/comparison";
import type { ConnectionStore } from "../stores/connection";
import type { CursorStore } from "../stores/cursor";
import type { HistoryStore } from "../stores/history";
import type { MarksStore } from "../stores/marks";
import type { MeStore } from "../stores/me";
import type { OverviewStore } from "../stores/overview";
import type { PastStore } from "../stores/past";
import type { PastAlertsStore } from "../stores/pastalerts";
import type { PinsStore } from "../stores/pins";
import type { ReplayStore } from "../stores/replay";
import type { RowsStore } from "../stores/rows";
import type { SectionsStore } from "../stores/sections";
import type { ShortcutsStore } from "../stores/shortcuts";
import type { SparkStore } from "../stores/sparks";
import type { StatsStore } from "../stores/stats";
import type { ThemeStore } from "../stores/theme";
import type { TimeStore } from "../stores/time";
import type { ViewStore } from "../stores/view";

export interface Stores {
  /** The address of the page, without its file name. */
  base: string;
  board: BoardStore;
  stats: StatsStore;
  alerts: AlertStore;
  bell: BellStore;
  brush: BrushStore;
  sparks: SparkStore;
  comparison: ComparisonStore;
  connection: ConnectionStore;
  cursor: CursorStore;
  history: HistoryStore;
  marks: MarksStore;
  me: MeStore;
  /** Loaded on first use. */
  overview(): Promise<OverviewStore>;
  past: PastStore;
  pastAlerts: PastAlertsStore;
  pins: PinsStore;
  replay: ReplayStore;
  rows: RowsStore;
  sections: SectionsStore;
  shortcuts: ShortcutsStore;
  theme: ThemeStore;
  time: TimeStore;
  view: ViewStore;
  /** The choice of the time zone, which this browser remembers. */
  zone: { choose(utc: boolean): void };
}

let stores: Stores;

/** Set the stores of this page, before its first component. */
export function provideStores(all: Stores): void {
  stores = all;
}

export const useStores = (): Stores => stores;
