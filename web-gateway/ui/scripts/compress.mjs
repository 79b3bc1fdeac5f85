// Puts a .gz and a .br beside every file of dist that gets smaller by it, for a gateway that sends them as they are.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

for (const entry of readdirSync("dist", { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg|json|webmanifest)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const whole = readFileSync(path);
  for (const [ending, packed] of [
    ["gz", gzipSync(whole, { level: 9 })],
    ["br", brotliCompressSync(whole, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length } })],
  ]) {
    if (packed.length < whole.length) writeFileSync(`${path}.${ending}`, packed);
  }
}
