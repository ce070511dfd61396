export { type DownloadedFile, type DownloadOptions, type DownloadProgress, downloadPublished } from "./download.ts";
export type { Patience } from "./http.ts";
