export { bytecodeVariables } from "./bytecode.ts";
export type { Check } from "./checks.ts";
export { diagnose } from "./doctor.ts";
export { cacheFolder, pythonFolder } from "./places.ts";
export { setupProgress } from "./progress.ts";
export { pythonVariables } from "./python-variables.ts";
export { ensureEnvironment } from "./setup.ts";
export { ignoredVariables } from "./shell-variables.ts";
