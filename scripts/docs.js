// npm run docs: the API reference in docs/api, from the comments of the package's exports, with a page for every type
// mentioned there, exported or not.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, root, run } from "./tools.js";

const models = mkdtempSync(join(tmpdir(), "dictlearn-docs-"));
// Both entry points of the package as one.
const entry = join(root, "dist", "api.d.ts");
const model = join(root, "dist", "api.api.json");
writeFileSync(entry, 'export * from "./index.js";\nexport * from "./nnsight/bridge/index.js";\n');
try {
  const extracted = run(bin("api-extractor"), ["run", "--local", "--config", join(root, "docs", "api-extractor.json")]);
  if (!extracted.ok) throw new Error("The API could not be described; see above.");
  mkdirSync(models, { recursive: true });
  renameSync(model, join(models, "dictlearn.api.json"));
  const written = run(bin("api-documenter"), ["markdown", "-i", models, "-o", join(root, "docs", "api")]);
  if (!written.ok) throw new Error("The pages could not be written; see above.");
} finally {
  for (const file of [entry, model, models]) rmSync(file, { recursive: true, force: true });
}
