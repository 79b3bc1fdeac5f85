// Prints what a first visit loads, and fails when its script is larger, gzipped, than agreed: the page's own script, what it imports, and the
// largest page that may be the first.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 150 * 1024;
const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
const size = (file) => gzipSync(readFileSync(`dist/${file}`), { level: 9 }).length;

function load(key, seen = new Map()) {
  const chunk = manifest[key];
  if (seen.has(chunk.file)) return seen;
  seen.set(chunk.file, size(chunk.file));
  for (const style of chunk.css ?? []) seen.set(style, size(style));
  for (const next of chunk.imports ?? []) load(next, seen);
  return seen;
}

const sum = (seen, ending) => [...seen].filter(([file]) => file.endsWith(ending)).reduce((total, [, bytes]) => total + bytes, 0);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const pages = Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry && key.startsWith("src/features/"));
let largest = { name: "", script: 0 };
for (const page of pages) {
  const seen = load(page, load(entry));
  const script = sum(seen, ".js");
  if (script > largest.script) largest = { name: page, script, style: sum(seen, ".css") };
}
const home = load("src/features/pool/Pools.svelte", load(entry));
console.log(`ui: the home page loads ${kib(sum(home, ".js"))} of script and ${kib(sum(home, ".css"))} of style, gzipped`);
console.log(`ui: the largest page (${largest.name}) loads ${kib(largest.script)} of script; the limit is ${kib(LIMIT)}`);
if (largest.script > LIMIT) {
  console.error("ui: that is too much: load what is not needed at once with import()");
  process.exit(1);
}
