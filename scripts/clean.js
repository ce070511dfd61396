// Removes what was built before: tsc leaves the outputs of sources that were moved, and they would be packed.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tools.js";

rmSync(join(root, "dist"), { recursive: true, force: true });
