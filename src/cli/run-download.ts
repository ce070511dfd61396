import cliProgress from "cli-progress";
import prettyBytes from "pretty-bytes";
import { ensureEnvironment, setupProgress } from "../environment/index.ts";
import {
  type DownloadedFile,
  type DownloadProgress,
  downloadPublished,
  PUBLISHED_SETS,
  publishedDictionaries,
  publishedSet,
} from "../published/index.ts";
import { shellQuoted } from "../shell-quoted.ts";
import { Worker } from "../worker/index.ts";
import { progressOf } from "./format.ts";
import { Interrupt } from "./interrupt.ts";
import { splitLayers } from "./layers.ts";
import { Pace, timeLeft } from "./pace.ts";

/** The set to fetch when none is named. */
const BOTH_OF_2023 = ["0_8192", "1_32768"];

export interface DownloadArguments {
  readonly sets?: readonly string[] | undefined;
  readonly layers?: readonly string[] | undefined;
  readonly checkpoints: boolean;
  readonly to: string;
  readonly mirror?: string | undefined;
  readonly json: boolean;
  readonly python?: string | undefined;
}

/** Fetches released dictionaries. Checks all names before fetching anything. */
export const download = async ({
  sets: named = [],
  layers: given,
  checkpoints,
  to,
  mirror,
  json,
  python,
}: DownloadArguments): Promise<void> => {
  const { layers = [], rest } = splitLayers(given, PUBLISHED_SETS);
  const all = [...named, ...rest];
  const sets = [...new Set(all.length === 0 ? BOTH_OF_2023 : all)];
  for (const set of sets) publishedDictionaries(publishedSet(set), layers);
  await using worker = await Worker.start(await ensureEnvironment({ python, onProgress: setupProgress() }));
  using interrupt = new Interrupt({
    onFirst: () => process.stderr.write("\nStopping. The same command goes on from here.\n"),
    onSecond: () => worker.kill(),
  });
  const files: DownloadedFile[] = [];
  for (const set of sets) {
    using progress = showProgress(set);
    const options = { to, layers, checkpoints, mirror, worker, signal: interrupt.signal };
    files.push(...(await downloadPublished(set, { ...options, onProgress: progress.show })));
  }
  if (json) {
    console.log(JSON.stringify({ folder: to, files }));
    return;
  }
  const fresh = files.filter(({ present }) => !present);
  const bytes = fresh.reduce((sum, file) => sum + file.bytes, 0);
  const before = files.length - fresh.length;
  console.log(
    `${fresh.length} ${fresh.length === 1 ? "file" : "files"}, ${prettyBytes(bytes)}, in ${to}${before > 0 ? `; ${before} were there before and are right` : ""}.`,
  );
  console.log(
    `Next:  npx dictlearn verify ${sets[0]} ${shellQuoted(to)}    compares them with what their authors measured`,
  );
};

interface Shown extends Disposable {
  readonly show: (progress: DownloadProgress) => void;
}

const QUIET_MS = 5_000;

/** A bar with rate and time left on a terminal, a plain line every few seconds elsewhere. */
const showProgress = (set: string): Shown => {
  const { stderr } = process;
  if (!stderr.isTTY) {
    let last = Number.NEGATIVE_INFINITY;
    return {
      show: ({ stage, name, done, total }) => {
        if (performance.now() - last < QUIET_MS) return;
        last = performance.now();
        const bytes = total > 0 ? `: ${progressOf(done, total, prettyBytes)}` : "";
        stderr.write(`${set} · ${stage} ${name}${bytes}\n`);
      },
      [Symbol.dispose]: () => {},
    };
  }
  const format = ` ${set} {bar} {amount} · {rate}/s · {left} left · {stage} {name}`;
  const bar = new cliProgress.SingleBar(
    { stream: stderr, format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8 },
    cliProgress.Presets.shades_classic,
  );
  const fetching = new Pace();
  let started = false;
  return {
    show: ({ stage, name, done, total, fetched }) => {
      const amount = progressOf(done, total, prettyBytes);
      if (!started) bar.start(Math.max(total, 1), done, { stage, name, amount, rate: "…", left: "…" });
      started = true;
      const pace = fetching.at(fetched);
      const rate = pace === undefined ? "…" : prettyBytes(pace);
      bar.setTotal(Math.max(total, 1));
      bar.update(done, { stage, name, amount, rate, left: timeLeft(total - done, pace) });
    },
    [Symbol.dispose]: () => bar.stop(),
  };
};
