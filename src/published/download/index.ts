export { downloadPublished } from "./download.ts";
export type { DownloadedFile, DownloadOptions, DownloadProgress } from "./set-download.ts";
