import cliProgress from "cli-progress";
import { progressOf } from "./format.ts";

/** Shows the current dictionary and its progress. */
export interface DictionaryProgress extends Disposable {
  readonly onProgress: (progress: { name: string; stage: string; done: number; total: number }) => void;
}

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

const QUIET_MS = 5_000;

/** A bar on a terminal, a plain line every few seconds elsewhere. */
export const createProgress = (stderr: Output = process.stderr): DictionaryProgress => {
  if (stderr.isTTY) {
    const format = " {name} · {stage} {bar} {amount}";
    const bar = new cliProgress.SingleBar(
      { stream: stderr, format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8 },
      cliProgress.Presets.shades_classic,
    );
    let started = false;
    return {
      onProgress: ({ done, total, ...labels }) => {
        const shown = { ...labels, amount: progressOf(done, total) };
        if (!started) bar.start(Math.max(total, 1), done, shown);
        started = true;
        bar.setTotal(Math.max(total, 1));
        bar.update(done, shown);
      },
      [Symbol.dispose]: () => bar.stop(),
    };
  }
  let last = Number.NEGATIVE_INFINITY;
  return {
    onProgress: ({ name, stage, done, total }) => {
      if (performance.now() - last < QUIET_MS) return;
      last = performance.now();
      stderr.write(`${name} · ${stage}${total > 0 ? `: ${progressOf(done, total)}` : ""}\n`);
    },
    [Symbol.dispose]: () => {},
  };
};
