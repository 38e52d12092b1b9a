/**
 * How the page is built and tested. Everything it emits is addressed relative to the page, since a board
 * may be mounted under any path of someone else's application.
 */

import type { Plugin } from "vite";
import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";
import { smaller } from "./smaller";

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

export default defineConfig({
  base: "./",
  plugins: [
    // Conditions are not memos of their own: what shows an element or not is a `Show`.
    solid({ solid: { delegateEvents: false, omitNestedClosingTags: true, wrapConditionals: false } }),
    workerBesideThePage(),
    ...smaller,
  ],
  build: {
    outDir: "../src/tickboard/server/static",
    emptyOutDir: true,
    target: "es2024",
    cssTarget: ["chrome125", "firefox128", "safari17.5"],
    // A data: URL would be the one place where the page needs more than 'self' in a Content-Security-Policy.
    assetsInlineLimit: 0,
    rolldownOptions: {
      // Reading a property has no effect in this page's code.
      treeshake: { propertyReadSideEffects: false },
      // The minifier puts the value of a `const` in the place of its name, but not that of a `var`.
      output: { topLevelVar: false },
    },
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_, files, { hostType }) => (hostType === "html" ? files : []),
    },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
    // The palette's test reads the style sheet.
    css: { include: [/base\.css/] },
  },
});
