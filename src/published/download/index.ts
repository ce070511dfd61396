export { type DownloadedFile, type DownloadOptions, type DownloadProgress, downloadPublished } from "./download.ts";
