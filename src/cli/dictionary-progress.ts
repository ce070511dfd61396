import cliProgress from "cli-progress";
import { count } from "./format.ts";

/** Shows which dictionary is at work, and how far. */
export interface DictionaryProgress extends Disposable {
  readonly onProgress: (progress: { name: string; stage: string; done: number; total: number }) => void;
}

const QUIET_MS = 5_000;

/** A bar on a terminal, a plain line every few seconds elsewhere. */
export const createProgress = (): DictionaryProgress => {
  const { stderr } = process;
  if (stderr.isTTY) {
    const format = " {name} · {stage} {bar} {value} of {total}";
    const bar = new cliProgress.SingleBar(
      { stream: stderr, format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8 },
      cliProgress.Presets.shades_classic,
    );
    let started = false;
    return {
      onProgress: ({ done, total, ...labels }) => {
        if (!started) bar.start(total, done, labels);
        started = true;
        bar.setTotal(total);
        bar.update(done, labels);
      },
      [Symbol.dispose]: () => bar.stop(),
    };
  }
  let last = Number.NEGATIVE_INFINITY;
  return {
    onProgress: ({ name, stage, done, total }) => {
      if (performance.now() - last < QUIET_MS) return;
      last = performance.now();
      stderr.write(`${name} · ${stage}${total > 0 ? `: ${count(done)} of ${count(total)}` : ""}\n`);
    },
    [Symbol.dispose]: () => {},
  };
};
