/**
 * All that the page loads after its first drawing. It is one file: most of it is wanted soon after, and two or more
 * files would be larger, since each is compressed by itself and has a list of what it takes from the others.
 */

export { showNotification, sound } from "./alerts/ringing";
export { badged, marked } from "./alerts/tabicon";
export { AlertEntry } from "./components/AlertEntry";
export { default as AlertLog } from "./components/AlertLog";
export { default as BarsPanel } from "./components/BarsPanel";
export { default as ChartReading } from "./components/ChartReading";
export { CompareLink } from "./components/CompareLink";
export { default as WhatChanged } from "./components/changes/WhatChanged";
export { default as DataTable } from "./components/DataTable";
export { default as EnlargedPlace } from "./components/EnlargedPlace";
export { default as Footer } from "./components/Footer";
export { default as Outline } from "./components/finding/Outline";
export { default as Search } from "./components/finding/Search";
export { default as Shortcuts } from "./components/finding/Shortcuts";
export { default as HealthThen } from "./components/HealthThen";
export { default as HeatmapPanel } from "./components/HeatmapPanel";
export { HostsPanel, wall } from "./components/HostsPlace";
export { default as Kiosk } from "./components/kiosk/Kiosk";
export { default as NewMark } from "./components/NewMark";
export { default as Problems } from "./components/Problems";
export { default as RankedTable } from "./components/RankedTable";
export { LeftOut, Recent } from "./components/Recent";
export { default as SettingsMenu } from "./components/SettingsMenu";
export { default as StatesPanel } from "./components/StatesPanel";
export { default as TablePanel } from "./components/TablePanel";
export { default as TextPanel } from "./components/TextPanel";
export { default as TimeOverlay } from "./components/TimeOverlay";
export { default as Trouble } from "./components/Trouble";
export { default as RangeMenu } from "./components/time/RangeMenu";
export { default as RangeNotice } from "./components/time/RangeNotice";
export { default as Standing } from "./components/time/Standing";
export { default as Strip } from "./components/time/Strip";
export { default as Waiting } from "./components/Waiting";
export { PastAlerts } from "./past/alerts";
export { RangeLoader } from "./past/loader";
export { createOverviewStore } from "./stores/overview";
