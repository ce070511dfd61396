export { hookNames, layerOf } from "./hook-names.ts";
export { type ModuleSide, named } from "./module-sides.ts";
export { type DictionaryOrigin, type ModelModules, otherPlace, requireOwnPlace, siteOf } from "./origin.ts";
