import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DownloadOptions, downloadPublished, type PublishedSet } from "../../src/published/index.ts";
import type { Worker } from "../../src/worker/index.ts";
import { temporaryFolder } from "../cli/support.ts";
import { python, rejection, startWorker } from "../support.ts";
import { filesIn, smallSet, writeMirror } from "./download-support.ts";
import { serve } from "./mirror-server.ts";

const LAYERS = 3;
const root = temporaryFolder();
const there = join(root, "mirror");
let worker: Worker;
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
beforeEach(() => {
  to = join(temporaryFolder(), "here");
});
afterEach(() => rmSync(dirname(to), { recursive: true }));

const download = async (options: Partial<DownloadOptions> = {}) =>
  await downloadPublished(set, { to, worker, patience: { retries: 3, pause: 5 }, ...options });

const ae = (layer: number): string => `model/mlp_out_layer${layer}/small/ae.pt`;
const same = (name: string): boolean => readFileSync(join(to, name)).equals(readFileSync(join(there, name)));

describe("a zip", () => {
  /** Writes a zip with Python's zipfile, which accepts any name; returns the registry's entry for it. */
  const zipOf = async (name: string, make: string): Promise<Extract<PublishedSet["source"], { kind: "zip" }>> => {
    const file = join(root, name);
    const code = `
import hashlib, json, os, zipfile
there = ${JSON.stringify(there)}
with zipfile.ZipFile(${JSON.stringify(file)}, "w", zipfile.ZIP_DEFLATED) as z:
    for folder, _, names in os.walk(there):
        for name in sorted(names):
            path = os.path.join(folder, name)
            z.write(path, "dictionaries/" + os.path.relpath(path, there))
${make.replaceAll(/^/gm, "    ")}
data = bytearray(open(${JSON.stringify(file)}, "rb").read())
if "liar" in globals():  # the last entry says that it is as small as a dictionary
    at = data.rindex(b"PK\\1\\2")
    data[at + 24:at + 28] = (5000).to_bytes(4, "little")
    open(${JSON.stringify(file)}, "wb").write(data)
print(json.dumps({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}))`;
    const { stdout } = await execa(await python(), ["-c", code]);
    const facts = JSON.parse(stdout) as { bytes: number; sha256: string };
    return { kind: "zip", repository: "some/repository", revision: "0", file: name, root: "dictionaries", ...facts };
  };

  it("is brought over, unpacked and removed; a second time nothing is asked for", async () => {
    const source = await zipOf("good.zip", "pass");
    await using hub = await serve(root);
    set = smallSet(LAYERS, source);
    await download({ mirror: hub.url });
    expect(filesIn(to)).toHaveLength(2 * LAYERS);
    expect(same(ae(2))).toBe(true);
    hub.requests.length = 0;
    const again = await download({ mirror: hub.url });
    expect(again.every(({ present }) => present)).toBe(true);
    expect(hub.requests).toEqual([]);
    await download({ mirror: `${hub.url}good.zip`, checkpoints: true, layers: [0] });
    expect(filesIn(to).filter((name) => name.includes("checkpoints"))).toHaveLength(2);
  });

  it.each(["local.zip", ""])("may be on this machine, where it is read in place: %j", async (name) => {
    set = smallSet(LAYERS, await zipOf("local.zip", "pass"));
    const stages = new Set<string>();
    await download({ mirror: join(root, name), layers: [1], onProgress: ({ stage }) => stages.add(stage) });
    expect(filesIn(to)).toEqual([ae(1), ae(1).replace("ae.pt", "config.json")].toSorted());
    expect([...stages]).toEqual(["Checking", "Unpacking"]);
    expect(existsSync(join(root, "local.zip"))).toBe(true);
  });

  it("of another checksum or size is thrown away", async () => {
    const source = await zipOf("other.zip", "pass");
    await using hub = await serve(root);
    set = smallSet(LAYERS, { ...source, sha256: "0".repeat(64) });
    expect(await rejection(download({ mirror: hub.url }))).toMatchObject({ code: "wrong_checksum" });
    expect(filesIn(to)).toEqual([]);
    set = smallSet(LAYERS, { ...source, bytes: source.bytes + 1 });
    expect(await rejection(download({ mirror: hub.url }))).toMatchObject({ code: "wrong_size" });
    expect(filesIn(to)).toEqual([]);
  });

  it("with a name that leads out of the folder, with a bomb, or with less than the set, is refused", async () => {
    const bomb = `z.writestr("dictionaries/${ae(0)}".replace("layer0", "layer3"), bytes(64 << 20))`;
    for (const [name, make, layers, code, words] of [
      ["escape.zip", 'z.writestr("../escape.pt", b"x")', LAYERS, "bad_zip", /invalid relative path/],
      ["bomb.zip", bomb, LAYERS + 1, "wrong_size", /has 67\.1 MB, but should have about 4\.\d+ kB/],
      ["liar.zip", `liar = True; ${bomb}`, LAYERS + 1, "bad_zip", /too many bytes in the stream/],
      ["less.zip", "pass", LAYERS + 1, "not_found", /lacks model\/mlp_out_layer3\/small\/ae\.pt of the set small/],
    ] as const) {
      set = smallSet(layers, await zipOf(name, make));
      const error = await rejection(download({ mirror: join(root, name) }));
      expect(error).toMatchObject({ code });
      expect(error.message).toMatch(words);
      expect(existsSync(join(dirname(to), "escape.pt"))).toBe(false);
      expect(filesIn(to).filter((each) => each.includes("layer3") || each.includes("part"))).toEqual([]);
    }
    writeFileSync(join(root, "noise.zip"), "no zip at all");
    const sha256 = createHash("sha256").update("no zip at all").digest("hex");
    set = smallSet(LAYERS, { ...(await zipOf("base.zip", "pass")), sha256 });
    expect(
      (await rejection(download({ mirror: join(root, "noise.zip"), to: join(dirname(to), "noise") }))).message,
    ).toMatch(/is not a zip that can be used/);
  });
});
