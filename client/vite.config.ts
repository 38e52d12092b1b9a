/**
 * How the page is built and tested. Everything it emits is addressed relative to the page, since a board
 * may be mounted under any path of someone else's application.
 */

import type { Plugin, Rolldown } from "vite";
import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

const WORKER_URL = "virtual:worker-url";
const WORKER = "src/link/shared.worker.ts";

/**
 * The address of the shared worker, built beside the page so that what both run is one file: Vite's own `?worker`
 * builds a second copy of it.
 */
function workerBesideThePage(): Plugin {
  return {
    name: "worker-beside-the-page",
    apply: "build",
    resolveId: (id) => (id === WORKER_URL ? WORKER_URL : null),
    load(id) {
      if (id !== WORKER_URL) return null;
      const file = this.emitFile({ type: "chunk", id: WORKER, name: "shared.worker" });
      return `export default import.meta.ROLLUP_FILE_URL_${file};`;
    },
  };
}

/** The kinds of panels that not every board has: they are in the first sight of those that do. */
const PANELS = /\/(AlertLog|RankedTable|(Table|Heatmap|States|Bars|Text)Panel)\.tsx$/;

/**
 * The file that a module goes into. More and smaller files would be a tenth larger, since each is compressed by itself.
 * `page` is what the page begins with, `panels` and `opened` are loaded on demand: the kinds of panels that not every
 * board has, and what a viewer opens. What the worker needs too is in a file that both have.
 */
function fileOf(id: string, graph: Pick<Rolldown.PluginContext, "getModuleInfo">): string | null {
  const seen = new Set<string>();
  const entries = new Set<string>();
  const roots = new Set<string>();
  const above = [id];
  for (let one = above.pop(); one !== undefined; one = above.pop()) {
    if (seen.has(one)) continue;
    seen.add(one);
    const info = graph.getModuleInfo(one);
    if (info?.isEntry) entries.add(one);
    if (info?.dynamicImporters.length) roots.add(one);
    above.push(...(info?.importers ?? []));
  }
  if (entries.size > 1) return null;
  if (entries.size === 1) return [...entries].some((entry) => entry.endsWith(WORKER)) ? null : "page";
  return [...roots].some((root) => PANELS.test(root)) ? "panels" : "opened";
}

export default defineConfig({
  base: "./",
  plugins: [solid(), workerBesideThePage()],
  build: {
    outDir: "../src/tickboard/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: URL would be the one place where the page needs more than 'self' in a Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ name: fileOf, debugName: "files" }],
        },
      },
    },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
    // The palette's test reads the style sheet.
    css: { include: [/base\.css/] },
  },
});
