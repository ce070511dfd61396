export {
  type DownloadedFile,
  type DownloadOptions,
  type DownloadProgress,
  downloadPublished,
  type Patience,
} from "./download/index.ts";
export {
  PUBLISHED_COLUMN_NAMES,
  type PublishedColumn,
  type PublishedDictionary,
  type PublishedHyperparameters,
  type PublishedSet,
  type PublishedSource,
  type PublishedStatistics,
} from "./published-set.ts";
export { PUBLISHED_COLUMNS, publishedAt, publishedDictionaries, publishedSet, publishedShapes } from "./registry.ts";
export { PUBLISHED_SETS } from "./sets.ts";
export type { VerifiedColumn, VerifiedNumber } from "./verify/compare.ts";
export { readRegistry } from "./verify/registry-file.ts";
export type { StatedSet } from "./verify/stated-set.ts";
export {
  type Verification,
  type VerifiedDictionary,
  type VerifyOptions,
  verifyPublished,
} from "./verify/verify-published.ts";
