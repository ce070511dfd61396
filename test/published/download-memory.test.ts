import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { downloadPublished } from "../../src/published/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { temporaryFolder } from "../cli/support.ts";
import { startWorker } from "../support.ts";
import { smallSet, writeWeights } from "./download-support.ts";
import { sendFile, serve } from "./mirror-server.ts";

const folder = temporaryFolder();
let worker: Worker;
beforeAll(async () => {
  worker = await startWorker();
});
afterAll(async () => {
  await worker.close();
  rmSync(folder, { recursive: true });
});

it("the largest set goes through constant memory", async () => {
  const [width, size, count] = [512, 32_768, 19];
  const one = join(folder, "one.pt");
  await writeWeights({ [one]: "" }, width, size);
  await using server = await serve(folder);
  const large = smallSet(count, { kind: "folders", url: server.url }, width, size);
  server.trouble = ({ path, request, response }) => {
    if (path.endsWith("/ae.pt")) sendFile(one, request, response);
    else response.writeHead(200, { "content-type": "text/html" }).end('<a href="ae.pt">ae.pt</a>');
    return true;
  };
  let peak = 0;
  const before = process.memoryUsage.rss();
  const files = await downloadPublished(large, {
    to: join(folder, "here"),
    worker,
    onProgress: () => {
      peak = Math.max(peak, process.memoryUsage.rss() - before);
    },
  });
  expect(files).toHaveLength(count);
  expect(files.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(count * 134e6);
  // A single file in memory would be 134 MB more; three are downloaded at once, and the server is in this process too.
  expect(peak).toBeLessThan(120e6);
});
