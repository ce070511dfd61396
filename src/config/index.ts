export { notices, requireAvailable } from "./availability.ts";
export { refuseRunKeys } from "./cross-checks.ts";
export { evaluationDefaults } from "./defaults.ts";
export { checkFits, type Estimate, estimateRun } from "./estimate.ts";
export { kindsOf } from "./key-kinds.ts";
export { loadConfig, loadRun, parseConfig } from "./load.ts";
export {
  type BufferInput,
  type BufferSettings,
  bufferKinds,
  parseBuffer,
  parseFilledBuffer,
  parseResume,
  parseTraining,
  resumeKinds,
  type TrainSettingsInput,
  trainKinds,
} from "./parts.ts";
export { type ResolvedDictionary, type ResolvedRun, resolveRun, runKind } from "./resolve.ts";
export { anotherRun, checkSameRun, MOVABLE } from "./same-run.ts";
export { RunConfig } from "./schema.ts";
export { whenceOf } from "./whence.ts";
