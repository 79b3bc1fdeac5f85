// Writes src/gen: code for the protos, and reference.json, which the API reference is shown from. Nothing of it is committed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { reference } from "./reference.mjs";

const buf = (...args) => execFileSync("node", ["node_modules/@bufbuild/buf/bin/buf", ...args], { stdio: ["ignore", "ignore", "inherit"] });

buf("generate");
const dir = mkdtempSync(join(tmpdir(), "sprout-ui-"));
try {
  const image = join(dir, "image.binpb");
  buf("build", "../../proto", "--as-file-descriptor-set", "--output", image);
  const files = fromBinary(FileDescriptorSetSchema, readFileSync(image)).file;
  writeFileSync("src/gen/reference.json", JSON.stringify(reference(files)));
} finally {
  rmSync(dir, { recursive: true });
}
