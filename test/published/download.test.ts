import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type DownloadOptions,
  type DownloadProgress,
  downloadPublished,
  type PublishedSet,
} from "../../src/published/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { temporaryFolder } from "../cli/support.ts";
import { rejection, startWorker } from "../support.ts";
import { filesIn, SIZE, smallSet, WIDTH, writeMirror, writeWeights } from "./download-support.ts";
import { etagOf, type MirrorServer, serve } from "./mirror-server.ts";

const LAYERS = 3;
const root = temporaryFolder();
const there = join(root, "mirror");
let worker: Worker;
let server: MirrorServer;
let set: PublishedSet;
let to: string;

beforeAll(async () => {
  worker = await startWorker();
  await writeMirror(there, LAYERS);
});
afterAll(async () => {
  await worker.close();
  rmSync(root, { recursive: true });
});
beforeEach(async () => {
  server = await serve(there);
  set = smallSet(LAYERS, { kind: "folders", url: server.url });
  to = join(temporaryFolder(), "here");
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(dirname(to), { recursive: true });
});

const download = async (options: Partial<DownloadOptions> = {}) =>
  await downloadPublished(set, { to, worker, patience: { retries: 3, pause: 5 }, ...options });

const ae = (layer: number): string => `model/mlp_out_layer${layer}/small/ae.pt`;
const same = (name: string): boolean => readFileSync(join(to, name)).equals(readFileSync(join(there, name)));

describe("a mirror with index pages", () => {
  it("gives every dictionary with its config, byte for byte, and with --checkpoints these too", async () => {
    const seen: number[] = [];
    const files = await download({ onProgress: ({ done }) => seen.push(done) });
    const names = [0, 1, 2].flatMap((layer) => [ae(layer), ae(layer).replace("ae.pt", "config.json")]).toSorted();
    expect(filesIn(to)).toEqual(names);
    expect(names.every(same)).toBe(true);
    expect(files.every(({ present }) => !present)).toBe(true);
    expect(seen.at(-1)).toBe(files.reduce((sum, { bytes }) => sum + bytes, 0));

    const again = await download({ checkpoints: true, layers: [1] });
    expect(again.filter(({ present }) => present)).toHaveLength(2);
    expect(filesIn(to).filter((name) => name.includes("checkpoints"))).toEqual([
      "model/mlp_out_layer1/small/checkpoints/ae_0.pt",
      "model/mlp_out_layer1/small/checkpoints/ae_100.pt",
    ]);
  });

  it("gives the layers that were asked for, by few connections", async () => {
    let open = 0;
    let most = 0;
    server.trouble = ({ response }) => {
      most = Math.max(most, ++open);
      response.once("close", () => open--);
      return false;
    };
    await download({ layers: [0, "mlp_out_layer2"] });
    expect(filesIn(to).filter((name) => name.endsWith("ae.pt"))).toEqual([ae(0), ae(2)]);
    expect(most).toBeLessThanOrEqual(3);
  });

  it("may be a local folder", async () => {
    await download({ mirror: there });
    expect(filesIn(to)).toHaveLength(2 * LAYERS);
    expect(same(ae(1))).toBe(true);
    expect(server.requests).toEqual([]);
  });
});

const partOf = (folder: string, layer: number): string => join(folder, dirname(ae(layer)), ".ae.part.pt");

/** Waits until a file has this many bytes: data that a client has not read is lost when its connection breaks. */
const onceArrived = (file: string, bytes: number, then: () => void): void => {
  const timer = setInterval(() => {
    if (!existsSync(file) || statSync(file).size < bytes) return;
    clearInterval(timer);
    then();
  }, 5);
};

describe("what a server does for the moment", () => {
  it.each([429, 503])("an answer of %d is asked again after the time that it names", async (status) => {
    const at: number[] = [];
    server.trouble = ({ path, visit, response }) => {
      if (!path.endsWith("layer0/small/ae.pt")) return false;
      at.push(performance.now());
      if (visit > 1) return false;
      response.writeHead(status, { "retry-after": "1" }).end();
      return true;
    };
    await download();
    expect(same(ae(0))).toBe(true);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(990);
  });

  it("connections that drop in the middle are taken up where they broke, as long as bytes come", async () => {
    const step = 1000;
    server.trouble = ({ path, request, response, file }) => {
      if (!path.endsWith("layer0/small/ae.pt")) return false;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const bytes = readFileSync(file);
      const headers = { etag: etagOf(file), "content-length": bytes.length - start };
      const range = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
      response.writeHead(start === 0 ? 200 : 206, { ...headers, ...(start === 0 ? {} : range) });
      if (bytes.length - start <= step) response.end(bytes.subarray(start));
      else {
        response.write(bytes.subarray(start, start + step));
        onceArrived(partOf(to, 0), start + step, () => response.destroy());
      }
      return true;
    };
    await download();
    expect(same(ae(0))).toBe(true);
    const ranges = server.requests.filter(({ path }) => path.endsWith("layer0/small/ae.pt")).map(({ range }) => range);
    // Far more breaks than retries: each attempt made progress.
    expect(ranges.length).toBeGreaterThan(4);
    expect(ranges[1]).toBe(`bytes=${step}-`);
  });

  it("a server that never gets better is given up, in one sentence that says what to do", async () => {
    server.trouble = ({ path, response }) => {
      if (!path.endsWith("layer1/small/ae.pt")) return false;
      response.writeHead(503).end();
      return true;
    };
    const error = await rejection(download());
    expect(error).toMatchObject({ code: "download", hint: expect.stringContaining("goes on where it stopped") });
    expect(error.message).toMatch(
      /layer1\/small\/ae\.pt could not be read: the server answered 503, 4 times in a row\.$/,
    );
    expect(filesIn(to)).not.toContain(ae(1));
  });

  it("a download that was cut off goes on in the next one, and starts anew when the file has changed", async () => {
    const cut = 5000;
    const path = `/${ae(0)}`;
    server.trouble = ({ path: asked, visit, response, file }) => {
      if (asked !== path || visit > 5) return false;
      if (visit > 1) response.destroy();
      else {
        const bytes = readFileSync(file);
        response.writeHead(200, { etag: etagOf(file), "content-length": bytes.length });
        response.write(bytes.subarray(0, cut));
        onceArrived(partOf(to, 0), cut, () => response.destroy());
      }
      return true;
    };
    await rejection(download({ layers: [0] }));
    expect(filesIn(to)).not.toContain(ae(0));
    expect(statSync(partOf(to, 0)).size).toBe(cut);
    server.requests.length = 0;
    const seen: DownloadProgress[] = [];
    await download({ layers: [0], onProgress: (progress) => seen.push(progress) });
    expect(server.requests.find((request) => request.path === path)?.range).toBe(`bytes=${cut}-`);
    // The rate counts only bytes downloaded in this call: not the existing part, and nothing in a third call.
    const { total = 0, fetched } = seen.at(-1) ?? {};
    // (The first call may have downloaded the config.)
    expect([statSync(join(there, ae(0))).size - cut, total - cut]).toContain(fetched);
    await download({ layers: [0], onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ done: total, fetched: 0 });
    expect(same(ae(0))).toBe(true);
    expect(filesIn(to).filter((name) => name.includes("part"))).toEqual([]);

    // The same, but the file changes between the two: the old beginning must not be kept.
    const changed = join(root, "changed");
    const target = join(changed, ae(0));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(there, ae(0)), target);
    const elsewhere = join(dirname(to), "elsewhere");
    await using second = await serve(changed);
    second.trouble = ({ visit, path: asked, response, file }) => {
      if (asked !== path || visit > 5) return false;
      if (visit > 1) response.destroy();
      else {
        response.writeHead(200, { etag: etagOf(file), "content-length": statSync(file).size });
        response.write(readFileSync(file).subarray(0, cut));
        onceArrived(partOf(elsewhere, 0), cut, () => response.destroy());
      }
      return true;
    };
    await rejection(download({ layers: [0], to: elsewhere, mirror: second.url }));
    copyFileSync(join(there, ae(1)), target);
    await download({ layers: [0], to: elsewhere, mirror: second.url });
    expect(readFileSync(join(elsewhere, ae(0))).equals(readFileSync(join(there, ae(1))))).toBe(true);
  });
});

describe("a server that overlooks If-Range", () => {
  it("cannot glue the end of one version of a file to the beginning of another", async () => {
    const ranges: (string | undefined)[] = [];
    server.trouble = ({ path, visit, request, response, file }) => {
      if (path !== `/${ae(0)}`) return false;
      ranges.push(request.headers.range);
      if (visit === 1) {
        response.writeHead(200, { etag: etagOf(file), "content-length": statSync(file).size });
        response.write(readFileSync(file).subarray(0, 1000));
        onceArrived(partOf(to, 0), 1000, () => response.destroy());
      } else {
        const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const bytes = readFileSync(join(there, ae(1)));
        const range = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
        response.writeHead(start === 0 ? 200 : 206, { etag: '"another"', ...(start === 0 ? {} : range) });
        response.end(bytes.subarray(start));
      }
      return true;
    };
    await download({ layers: [0] });
    expect(ranges).toEqual([undefined, "bytes=1000-", undefined]);
    expect(readFileSync(join(to, ae(0))).equals(readFileSync(join(there, ae(1))))).toBe(true);
  });
});

it("a file whose end was not announced is fetched anew when nothing is behind what is there", async () => {
  server.trouble = ({ path, visit, request, response, file }) => {
    if (path !== `/${ae(0)}`) return false;
    if (request.headers.range !== undefined) response.writeHead(416).end();
    else {
      response.writeHead(200, { etag: etagOf(file) });
      if (visit > 1) response.end(readFileSync(file));
      else {
        response.write(readFileSync(file));
        onceArrived(partOf(to, 0), statSync(file).size, () => response.destroy());
      }
    }
    return true;
  };
  await download({ layers: [0] });
  expect(server.requests.filter(({ path }) => path === `/${ae(0)}`).map(({ range }) => range !== undefined)).toEqual([
    false,
    true,
    false,
  ]);
  expect(same(ae(0))).toBe(true);
});

describe("what is wrong", () => {
  const replaced = (content: Buffer | string) => {
    server.trouble = ({ path, response }) => {
      if (path !== `/${ae(1)}`) return false;
      response.writeHead(200, { "content-length": Buffer.byteLength(content) }).end(content);
      return true;
    };
  };

  it("a size that no such dictionary has, before a byte is taken", async () => {
    replaced("too short");
    const error = await rejection(download());
    expect(error).toMatchObject({ code: "wrong_size" });
    expect(error.message).toMatch(/layer1\/small\/ae\.pt at http:.* has 9 B, but should have about 4\.\d+ kB\.$/);
    expect(filesIn(to)).not.toContain(ae(1));
  });

  it("fewer bytes than announced, again and again", async () => {
    server.trouble = ({ path, response, file }) => {
      if (path !== `/${ae(1)}`) return false;
      const bytes = readFileSync(file);
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 100), () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    // Without an ETag no download can resume, so each attempt starts from scratch; it still gives up.
    expect(await rejection(download())).toMatchObject({ code: "download" });
    expect(filesIn(to)).not.toContain(ae(1));
  });

  it("bytes that are no dictionary, or one of other shapes or tensors", async () => {
    const odd = join(root, "odd");
    await writeWeights({
      [join(odd, "shape.pt")]: `w["bias"] = torch.rand(${WIDTH + 1})`,
      [join(odd, "more.pt")]: `w["extra"] = torch.rand(3)`,
      [join(odd, "less.pt")]: `w["padding"] = w.pop("encoder.bias")`,
      [join(odd, "half.pt")]: `w = {name: torch.cat([t.half(), t.half()], -1) for name, t in w.items()}`,
    });
    const noise = Buffer.alloc(4 * (2 * WIDTH * SIZE + WIDTH + SIZE) + 2000, 7);
    for (const [content, words] of [
      [noise, /PyTorch cannot read it/],
      [readFileSync(join(odd, "shape.pt")), /bias is \[9\] instead of \[8\]/],
      [readFileSync(join(odd, "more.pt")), /it holds extra, which no dictionary of the set has/],
      [readFileSync(join(odd, "less.pt")), /it holds padding, which/],
      [readFileSync(join(odd, "half.pt")), /bias is \[16\] instead of \[8\]/],
    ] as const) {
      replaced(content);
      const error = await rejection(download({ layers: [1] }));
      expect(error).toMatchObject({ code: "not_a_dictionary" });
      expect(error.message).toMatch(words);
      // The config is downloaded at the same time; if it was stopped, its beginning stays for the next attempt.
      expect(filesIn(to).filter((name) => !name.includes("config."))).toEqual([]);
    }
  });

  it("a config that is no JSON", async () => {
    server.trouble = ({ path, response }) => {
      if (!path.endsWith("layer1/small/config.json")) return false;
      response.writeHead(200, { "content-length": 12 }).end("<html>oops!\n");
      return true;
    };
    const error = await rejection(download());
    expect(error.message).toBe("model/mlp_out_layer1/small/config.json is not what it should be: it is no JSON.");
  });

  it("a file that was there before and is not right is left, and named", async () => {
    const target = join(to, ae(0));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, "something of the user's");
    const error = await rejection(download());
    expect(error.message).toContain(`${target} was there before, and is not right`);
    expect(readFileSync(target, "utf8")).toBe("something of the user's");
  });

  it("a name that leads out of the folder", async () => {
    for (const href of ["..%2f..%2fescape.pt", "%2e%2e%5cescape.pt", "a%00.pt"]) {
      server.trouble = ({ path, response }) => {
        if (!path.endsWith("layer0/small/")) return false;
        response.writeHead(200, { "content-type": "text/html" }).end(`<a href="ae.pt">a</a><a href="${href}">b</a>`);
        return true;
      };
      const error = await rejection(download());
      expect(error).toMatchObject({ code: "unsafe_name" });
      expect(filesIn(to)).toEqual([]);
    }
  });

  it("a place without the set, or without index pages", async () => {
    expect((await rejection(download({ mirror: `${server.url}nowhere/` }))).message).toMatch(
      /nowhere\/ lacks model\/mlp_out_layer0\/small\/ae\.pt, .* of the set small\.$/,
    );
    server.trouble = ({ response }) => {
      response.writeHead(200, { "content-type": "application/octet-stream" }).end("bytes");
      return true;
    };
    expect((await rejection(download())).message).toMatch(/is not a list of files: its type is application/);
    expect(await rejection(download({ mirror: "/nowhere/at/all" }))).toMatchObject({ code: "config" });
  });

  it("a folder that cannot be written to", async () => {
    const file = join(dirname(to), "file");
    writeFileSync(file, "");
    expect(await rejection(download({ to: join(file, "below") }))).toMatchObject({ code: "no_place" });
  });

  it("a stop by the user leaves what has come for the next time", async () => {
    const controller = new AbortController();
    server.trouble = ({ path, response, file, visit }) => {
      if (path !== `/${ae(0)}` || visit > 1) return false;
      response.writeHead(200, { etag: etagOf(file), "content-length": statSync(file).size });
      response.write(readFileSync(file).subarray(0, 2000));
      onceArrived(partOf(to, 0), 2000, () => controller.abort());
      return true;
    };
    expect(await rejection(download({ signal: controller.signal, layers: [0] }))).toMatchObject({ code: "cancelled" });
    server.requests.length = 0;
    await download({ layers: [0] });
    expect(server.requests.find(({ path }) => path === `/${ae(0)}`)?.range).toBe("bytes=2000-");
    expect(same(ae(0))).toBe(true);
  });
});
