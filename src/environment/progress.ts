import cliProgress from "cli-progress";
import type { SetupProgress } from "./pip-output.ts";

/** Minimum interval between printed lines, except for a new stage. */
const LINE_EVERY_MS = 5_000;

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean };

/**
 * An observer for `ensureEnvironment` that shows the progress: a bar on a terminal, occasional plain lines elsewhere.
 * It shows nothing before the first progress, and ends by itself with the stages `Ready` and `Failed`.
 */
export const setupProgress = (output: Output = process.stderr): ((progress: SetupProgress) => void) => {
  let show: ((progress: SetupProgress) => void) | undefined;
  return (progress) => {
    if (show === undefined) {
      output.write(
        "Setting up the Python environment. This happens once and takes a few minutes; about 2 GB are stored.\n",
      );
      show = output.isTTY === true ? bar(output) : lines(output);
    }
    show(progress);
  };
};

const bar = (stream: Output): ((progress: SetupProgress) => void) => {
  const format = " {bar} {amount}{stage} {detail}";
  const single = new cliProgress.SingleBar(
    { stream, format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8 },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return ({ stage, detail, done, total }) => {
    if (stage === "Ready" || stage === "Failed") {
      // A bar that is not stopped keeps its timer, and with it the process, alive.
      single.stop();
      if (stage === "Ready") stream.write("The Python environment is ready.\n");
      return;
    }
    const shown = { stage, detail, amount: total > 0 ? `${done}/${total} ` : "" };
    if (!started) single.start(Math.max(total, 1), done, shown);
    started = true;
    single.setTotal(Math.max(total, 1));
    single.update(done, shown);
  };
};

const lines = (output: Output): ((progress: SetupProgress) => void) => {
  let last: SetupProgress["stage"] | undefined;
  let at = 0;
  return ({ stage, detail, done, total }) => {
    const now = performance.now();
    // pip alternates between these two: show them as one stage.
    const same = stage === last || (isFetching(stage) && isFetching(last));
    if (same && now - at < LINE_EVERY_MS) return;
    last = stage;
    at = now;
    if (stage === "Ready") output.write("The Python environment is ready.\n");
    else if (stage !== "Failed") output.write(`${stage} ${detail}${total > 0 ? ` (${done} of ${total})` : ""}\n`);
  };
};

const isFetching = (stage: SetupProgress["stage"] | undefined): boolean =>
  stage === "Resolving" || stage === "Downloading";
