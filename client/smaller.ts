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

/** What only transitions and suspense use. */
const OWNED_BY_TRANSITION = /\n {2}if \(node\.tOwned\) \{\n[\s\S]*?\n {2}\}/;
const SUSPENDED = /\n {2}if \(node\.suspense && [^\n]*/;

/** Templates of MathML and of elements of one's own, of which this page has none. */
const OTHER_TEMPLATES =
  /isImportNode \? [^\n]*? : (?=\(\) => )|isMathML \? document\.createElementNS\([^)]*\) : |isMathML \? t\.firstChild : /g;

/** Handlers that Solid calls itself, of which this page has none. */
const DELEGATED = /if \(delegate\) \{[\s\S]*?\} else (?=node\.addEventListener\(name, handler, )/;

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
  transform(code, id) {
    const [, file] = /solid-js\/(?:web\/)?dist\/(solid|web)\.js$/.exec(id) ?? [];
    if (file === undefined) return null;
    const shorter = replaced(ALWAYS_NULL, code, "null", id).code;
    const [one, other] = file === "solid" ? [OWNED_BY_TRANSITION, SUSPENDED] : [OTHER_TEMPLATES, DELEGATED];
    return replaced(other, replaced(one, shorter, "", id).code, "", id);
  },
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

const EXPORTS = /export\{([^}]*)\};?\s*$/;
const IMPORTS = /import\{([^}]*)\}from"\.\/([^"]+)"/g;
const pairsOf = (list: string): [string, string][] =>
  list
    .split(",")
    .map((one) => one.split(" as "))
    .map(([name, as = name]) => [name, as]);

/**
 * What chunks import of each other has the name that it has in its own chunk, which then need not be said twice. Those
 * of `import()` keep their names.
 */
const shortExports: Plugin = {
  name: "short-exports",
  apply: "build",
  enforce: "post",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((one) => one.type === "chunk");
    const names = new Map<string, Map<string, string>>();
    for (const chunk of chunks) {
      if (chunk.isDynamicEntry) continue;
      chunk.code = chunk.code.replace(EXPORTS, (_, list) => {
        const own = pairsOf(list).map(([name, as]): [string, string] => [as, name]);
        names.set(chunk.fileName.split("/").at(-1) as string, new Map(own));
        return `export{${[...new Set(own.map(([, name]) => name))].sort().join(",")}};`;
      });
    }
    for (const chunk of chunks) {
      chunk.code = chunk.code.replace(IMPORTS, (whole, list, from) => {
        const own = names.get(from);
        if (own === undefined) return whole;
        const pairs = pairsOf(list).map(([name, as]) => `${own.get(name)} as ${as}`);
        return `import{${pairs.sort().join(",")}}from"./${from}"`;
      });
    }
  },
};

const DEPS = /const __vite__mapDeps=.*?m\.f=(\[[^\]]*\]).*?;\n/;
const LISTED = /__vite__mapDeps\(\[([\d,]*)\]\)/g;

/** The style sheets of a chunk are listed where it is imported. Those of the page have been loaded. */
const shortDeps: Plugin = {
  name: "short-deps",
  apply: "build",
  enforce: "post",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const [all, list] = DEPS.exec(chunk.code) ?? [];
        if (all === undefined || list === undefined) continue;
        const files: string[] = JSON.parse(list);
        const listed = (places: string) => places.split(",").map((place) => files[Number(place)]);
        chunk.code = chunk.code
          .replace(all, "")
          .replace(LISTED, (_, places) =>
            JSON.stringify(listed(places).filter((file) => !file.startsWith("./index-"))),
          );
      }
    },
  },
};

/** To be used after Solid's own plugin. */
export const smaller: readonly Plugin[] = [shortPreload, shortSolid, shortTemplates, shortExports, shortDeps];
