export { Contexts, type ContextsOptions } from "./contexts.ts";
