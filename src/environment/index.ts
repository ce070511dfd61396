export { bytecodeVariables } from "./bytecode.ts";
export type { Check } from "./checks.ts";
export { type Diagnosis, diagnose } from "./doctor.ts";
export type { SetupProgress } from "./pip-output.ts";
export { cacheFolder } from "./places.ts";
export { setupProgress } from "./progress.ts";
export { type EnvironmentOptions, ensureEnvironment, type PythonEnvironment } from "./setup.ts";
