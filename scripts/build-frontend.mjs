// Bundles static/src into static/dist. `--watch` is not needed: a build takes about a second.
//
// The first view may cost at most 200 kB of CSS and JS, gzipped; the build fails above that, so that nobody has to
// remember the limit.

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";
import { PurgeCSS } from "purgecss";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE = join(ROOT, "static/src");
const TARGET = join(ROOT, "static/dist");
const FIRST_VIEW = ["app.css", "theme.js", "app.js"];
const FIRST_VIEW_LIMIT_BYTES = 200_000;
const COPIED = ["icons.svg", "favicon.svg"];

await rm(TARGET, { recursive: true, force: true });
await mkdir(TARGET, { recursive: true });
await build({
  entryPoints: ["app.css", "theme.js", "app.js", "service.js"].map((name) => join(SOURCE, name)),
  outdir: TARGET,
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  loader: { ".woff2": "file" },
  assetNames: "[name]",
  logLevel: "warning",
});
await dropUnusedRules(join(TARGET, "app.css"));
await Promise.all(COPIED.map((name) => cp(join(SOURCE, name), join(TARGET, name))));
await report();

/** Tabler ships every component there is; keep the rules that a template, a view or a script names. */
async function dropUnusedRules(path) {
  const [purged] = await new PurgeCSS().purge({
    css: [{ raw: await readFile(path, "utf8") }],
    content: ["templates/**/*.html", "dashboard/**/*.py", "static/src/*.js"].map((glob) => join(ROOT, glob)),
    // Classes that templates compose: pill-{{ level }}.
    safelist: { standard: [/^htmx-/, /^(bar|message|pill|s|sparkline)-/], greedy: [/data-bs-theme/] },
    keyframes: true,
  });
  const { code } = await transform(purged.css, { loader: "css", minify: true });
  await writeFile(path, code);
}

async function report() {
  let total = 0;
  for (const name of [...FIRST_VIEW, "service.js"]) {
    const gzipped = gzipSync(await readFile(join(TARGET, name))).length;
    if (FIRST_VIEW.includes(name)) total += gzipped;
    console.log(`${name.padEnd(12)} ${(gzipped / 1000).toFixed(1).padStart(6)} kB gzipped`);
  }
  console.log(`${"first view".padEnd(12)} ${(total / 1000).toFixed(1).padStart(6)} kB of ${FIRST_VIEW_LIMIT_BYTES / 1000}`);
  if (total > FIRST_VIEW_LIMIT_BYTES) throw new Error("The first view is over its limit: load less, or load it later.");
}
