export {
  checkArguments,
  checkOptions,
  isPlain,
  type Mistake,
  mistakeIn,
  nearestKey,
  type OptionShape,
  optionsOf,
  wrongArgument,
} from "./check.ts";
export { allowed, deepest, shown } from "./issues.ts";
export * as kinds from "./kinds.ts";
