/**
 * How the page is built and tested. Everything it emits is addressed relative to the page, since a board
 * may be mounted under any path of someone else's application.
 */

import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  plugins: [solid()],
  build: {
    outDir: "../src/tickboard/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: URL would be the one place where the page needs more than 'self' in a Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
  },
});
