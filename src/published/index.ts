export {
  type DownloadedFile,
  type DownloadOptions,
  type DownloadProgress,
  downloadPublished,
} from "./download/index.ts";
export type {
  PublishedColumn,
  PublishedDictionary,
  PublishedHyperparameters,
  PublishedSet,
  PublishedStatistics,
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
