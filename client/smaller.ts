/**
 * Plugins that make the built page smaller by what it does not use of other people's code. Each fails the build when
 * that code has changed so that it no longer applies.
 */

import type { Plugin } from "vite";

const PRELOAD = "\0vite/preload-helper.js";

/**
 * What Vite calls for a dynamic import. Its own also preloads scripts, of which there is one, and sends events: it is
 * five times as long. A style sheet that has not loaded rejects, like a script.
 */
const PRELOAD_CODE = `
export const __vitePreload = (load, files, base) =>
  Promise.all([load(), ...files.map((file) => new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(file, base).href;
    link.onload = resolve;
    link.onerror = reject;
    document.head.append(link);
  }))]).then(([loaded]) => loaded);
`;

/** What Solid asks about transitions, suspense and hydration. */
const ALWAYS_NULL =
  /\b(?<!let )(Transition|Scheduler|ExternalSourceConfig|SuspenseContext|sharedConfig\.\w+)\b(?!\s*(=[^=]|\+\+|--|\())|(?<!function )isHydrating\(\w*\)/g;

/** Solid's templates ask whether a `ref` is a function. On this page each is a variable for an element. */
const REF = /var (_ref\$\d*) = (\w+);\s*typeof \1 === "function" \? _\$use\(\1, ([\w$]+)\) : \2 = \3;/g;

/** What an effect of several values begins with: it is compared with them, as what is not there would be. */
const BEFORE = /\{\s*(\w: undefined,?\s*)+\}/g;

function replaced(pattern: RegExp, code: string, by: string, id: string): { code: string; map: null } {
  const result = code.replace(pattern, by);
  if (result === code) throw new Error(`${id} has nothing that ${pattern} matches: see client/smaller.ts`);
  return { code: result, map: null };
}

const shortPreload: Plugin = {
  name: "short-preload",
  apply: "build",
  enforce: "pre",
  load: (id) => (id === PRELOAD ? PRELOAD_CODE : null),
};

const shortSolid: Plugin = {
  name: "short-solid",
  apply: "build",
  enforce: "pre",
  transform: (code, id) =>
    /solid-js\/(web\/)?dist\/(solid|web)\.js$/.test(id) ? replaced(ALWAYS_NULL, code, "null", id) : null,
};

const shortTemplates: Plugin = {
  name: "short-templates",
  apply: "build",
  enforce: "pre",
  transform(code, id) {
    if (!id.endsWith(".tsx")) return null;
    const refs = code.includes("_ref$") ? replaced(REF, code, "$2 = $3;", id).code : code;
    return refs.includes("_p$") ? replaced(BEFORE, refs, "{}", id) : { code: refs, map: null };
  },
};

/** To be used after Solid's own plugin. */
export const smaller: readonly Plugin[] = [shortPreload, shortSolid, shortTemplates];
