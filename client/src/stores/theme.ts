/**
 * The theme (light, dark or the system's; light in print) and the density (comfortable or compact). It sets
 * `data-theme` and `data-density` on the root element, which drive the style sheet, and signals changes for
 * canvases, which do not notice them. It must not know a colour.
 */
import { createEffect, createMemo, createRenderEffect, createSignal, onCleanup } from "solid-js";
import { readStored, writeStored } from "../storage";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const DENSITIES = ["comfortable", "compact"] as const;
export type Density = (typeof DENSITIES)[number];

const KEY = "tickboard:theme";
const DENSITY_KEY = "tickboard:density";

/** Follow a media query as a signal. */
function followed(query: MediaQueryList): () => boolean {
  const [matches, setMatches] = createSignal(query.matches);
  const changed = (event: MediaQueryListEvent) => setMatches(event.matches);
  query.addEventListener("change", changed);
  onCleanup(() => query.removeEventListener("change", changed));
  return matches;
}

/** @param forcedColors matches if the system forces its own colours on every page. */
export function createThemeStore(
  root: HTMLElement,
  systemDark: MediaQueryList,
  forcedColors: MediaQueryList,
) {
  const stored = readStored(KEY);
  const [theme, setTheme] = createSignal<Theme>(THEMES.find((name) => name === stored) ?? "system");
  const dark = followed(systemDark);
  const forced = followed(forcedColors);

  const [density, setDensity] = createSignal<Density>(
    readStored(DENSITY_KEY) === "compact" ? "compact" : "comfortable",
  );
  const [printing, setPrinting] = createSignal(false);
  /** Whether the page shows outdated values; it then loses its colours. */
  const [stale, setStale] = createSignal(false);
  const isDark = () => !printing() && (theme() === "system" ? dark() : theme() === "dark");
  const shown = createMemo(() =>
    [isDark() ? "dark" : "light", stale() && "stale", forced() && `forced ${dark()}`]
      .filter(Boolean)
      .join(" "),
  );
  // A render effect runs before any effect that draws with these colours.
  createRenderEffect(() => {
    root.toggleAttribute("data-stale", stale());
    root.dataset.theme = isDark() ? "dark" : "light";
    writeStored(KEY, theme() === "system" ? null : theme());
  });
  createEffect(() => {
    root.dataset.density = density();
    writeStored(DENSITY_KEY, density() === "compact" ? "compact" : null);
  });

  return {
    theme,
    setTheme,
    density,
    setDensity,
    isDark,
    /** Changes whenever the colours do. */
    shown,
    setStale,
    /** Whether the page is being printed: drawn in full, light, as wide as a sheet, and frozen. */
    printing,
    print(on: boolean): void {
      // Apply the print layout first: the drawings that this triggers read it.
      root.toggleAttribute("data-printing", on);
      setPrinting(on);
    },
  };
}

export type ThemeStore = ReturnType<typeof createThemeStore>;
