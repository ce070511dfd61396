import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { TerminalView } from "../../src/cli/view-terminal.ts";
import { parseConfig, resolveRun } from "../../src/config/index.ts";

/** The rows of a terminal after what was written to it: line feeds, and the cursor's moves and erasures. */
const screen = (written: string): string[] => {
  const rows = [""];
  let [row, column] = [0, 0];
  const visible = written.replaceAll("\u001b", "␛");
  for (const [piece, count, letter] of visible.matchAll(/␛\[\??(\d*)([A-Za-z])|\n|[^␛\n]+/g)) {
    if (piece === "\n") {
      row += 1;
      column = 0;
      rows[row] ??= "";
    } else if (letter === undefined) {
      rows[row] =
        (rows[row] ?? "").slice(0, column).padEnd(column) + piece + (rows[row] ?? "").slice(column + piece.length);
      column += piece.length;
    } else if (letter === "A") row -= Number(count || 1);
    else if (letter === "B") row += Number(count || 1);
    else if (letter === "G") column = Number(count || 1) - 1;
    else if (letter === "K") rows[row] = (rows[row] ?? "").slice(0, column);
  }
  return rows.map((each) => each.trimEnd()).filter((each) => each !== "");
};

it("keeps each bar in its row, however often they are drawn", async () => {
  const run = resolveRun(
    parseConfig({ model: "m", data: "d", dictionaries: [{ submodule: "a.0", dictionary_size: 8 }] }),
  );
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  let written = "";
  stream.on("data", (data: Buffer) => {
    written += data.toString();
  });
  const view = new TerminalView(run, stream);
  const { name } = run.dictionaries[0] ?? { name: "" };
  view.observe({ type: "stage", message: "Loading m" });
  view.observe({ type: "filling", unread: 50, capacity: 100, contexts: 1, tokens: 50 } as never);
  for (let step = 1; step <= 8; step += 1) {
    view.observe({ type: "step", step, steps: 10 } as never);
    view.observe({
      type: "metrics",
      dictionary: name,
      metrics: { step, mse_loss: step, sparsity_loss: 2, l0: 3, fraction_variance_explained: 0.5, dead_features: 0 },
    } as never);
    await sleep(40);
  }
  view.stop();
  const rows = screen(written);
  expect(rows).toHaveLength(4);
  expect(rows[0]).toBe("Loading m");
  expect(rows[1]).toMatch(/^ buffer .* 50 %/);
  expect(rows[2]).toMatch(/^ steps .* 80 % · 8 of 10/);
  expect(rows[3]).toBe(" mse 8 · sparsity 2 · L0 3 · explained 50 % · dead 0");
});
