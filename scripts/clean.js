// Removes the previous build: tsc leaves the outputs of moved sources, and they would be packed.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tools.js";

rmSync(join(root, "dist"), { recursive: true, force: true });
