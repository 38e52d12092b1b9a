/**
 * Light, dark or as the system has it, and light on paper; comfortable or compact. It sets `data-theme` and
 * `data-density` on the root element, from which the style sheet takes every colour and height, and says when they have
 * changed, for a canvas does not notice. It must not know a colour.
 */
import { createEffect, createMemo, createRenderEffect, createSignal, onCleanup } from "solid-js";
import { readStored, writeStored } from "../storage";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const DENSITIES = ["comfortable", "compact"] as const;
export type Density = (typeof DENSITIES)[number];

const KEY = "tickboard:theme";
const DENSITY_KEY = "tickboard:density";

/** Whether the system asks for something, and when that changes. */
function followed(query: MediaQueryList): () => boolean {
  const [matches, setMatches] = createSignal(query.matches);
  const changed = (event: MediaQueryListEvent) => setMatches(event.matches);
  query.addEventListener("change", changed);
  onCleanup(() => query.removeEventListener("change", changed));
  return matches;
}

/** @param forcedColors whether the viewer's system has colours of its own for every page. */
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
  /** Whether what is shown is not what is now: then nothing has a colour. */
  const [stale, setStale] = createSignal(false);
  const isDark = () => !printing() && (theme() === "system" ? dark() : theme() === "dark");
  const shown = createMemo(() =>
    [isDark() ? "dark" : "light", stale() && "stale", forced() && `forced ${dark()}`]
      .filter(Boolean)
      .join(" "),
  );
  // Before any effect that draws with these colours.
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
    /** What the colours depend on: when it changes, so have they. */
    shown,
    setStale,
    /** Whether the page is being printed: all of it is drawn, light and as wide as a sheet, and stands still. */
    printing,
    print(on: boolean): void {
      // The sheet's measures come first: what is drawn because of it reads them.
      root.toggleAttribute("data-printing", on);
      setPrinting(on);
    },
  };
}

export type ThemeStore = ReturnType<typeof createThemeStore>;
