/**
 * How the page is built and tested. Everything it emits is addressed relative to the page, since a board
 * may be mounted under any path of someone else's application.
 */

import type { Plugin } from "vite";
import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

const WORKER_URL = "virtual:worker-url";

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
      const file = this.emitFile({ type: "chunk", id: "src/link/shared.worker.ts", name: "shared.worker" });
      return `export default import.meta.ROLLUP_FILE_URL_${file};`;
    },
  };
}

/** What no chart of the page uses: logarithmic scales, automatic ranges, dates, the legend, zooming, new series. */
const UNUSED = [
  ...["rangeLog", "rangeAsinh", "rangeNum", "_rangeNum", "logAxisSplits", "asinhAxisSplits"],
  ...["log10AxisValsFilt", "log2AxisValsFilt", "fmtDate", "timeAxisStamps", "timeAxisVals", "timeAxisVal"],
  ...["timeSeriesStamp", "timeSeriesVal", "initLegendRow", "syncLegend", "setLegendValues", "addSeries"],
  ...["delSeries", "setBand", "addBand", "delBand", "mouseDown", "mouseUp", "dblClick", "setSeries"],
  ...["setFocus", "setAlpha", "toggleDOM"],
];

/**
 * Without uPlot's static functions (joins, bars, steps and splines) and the bodies of UNUSED, which stay in a bundle
 * because they are assigned or may be called. They are a sixth of all that a browser would load.
 */
function leanPlot(): Plugin {
  const constants: [RegExp, string][] = [
    [/(?<=const mode = )self\.mode(?=;)/, "1"],
    [/(?<=const mode = )u\.mode(?=;)/, "1"],
    [/(?<=const showLegend = )legend\.show(?=;)/, "false"],
    [/(?<=const ms = )[^;]*(?=;)/, "1"],
    [/(?<=const _timeAxisSplits = )[^;]*(?=;)/, "null"],
    [/(?<=^const \[ timeIncrsMs.*= )genTimeStuffs\(1\)(?=;)/m, "[]"],
    [/(?<=^const \[ timeIncrsS.*= )genTimeStuffs\(1e-3\)(?=;)/m, "[]"],
  ];
  const statics = /^uPlot\.assign = [\s\S]*?(?=^export )/m;
  const bodyOf = (name: string) =>
    new RegExp(`(?<=^(\\t?)function ${name}\\([^\\n]*\\) )\\{$[\\s\\S]*?^\\1\\}$`, "m");
  return {
    name: "lean-plot",
    transform(code, id) {
      if (!id.endsWith("/uPlot.esm.js")) return null;
      let lean = code;
      for (const [part, instead] of [
        [statics, "uPlot.pxRatio = pxRatio;\n"],
        ...constants,
        ...UNUSED.map((name) => [bodyOf(name), "{}"] as const),
      ] as const) {
        if (!part.test(lean)) this.error(`a part of uPlot is not where it was: see leanPlot, ${part}`);
        lean = lean.replace(part, instead);
      }
      return { code: lean, map: null };
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [solid(), workerBesideThePage(), leanPlot()],
  build: {
    outDir: "../src/tickboard/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: URL would be the one place where the page needs more than 'self' in a Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
  },
});
