import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TerminalView } from "../../src/cli/view-terminal.ts";
import { parseConfig, resolveRun } from "../../src/config/index.ts";

/** The rows of a terminal after this output: line feeds, and the cursor's moves and erasures. */
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

const run = resolveRun(
  parseConfig({ model: "m", data: "d", dictionaries: [{ submodule: "a.0", dictionary_size: 8 }] }),
);

/** A view on a terminal, and the terminal's content. */
const openView = () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  let written = "";
  stream.on("data", (data: Buffer) => {
    written += data.toString();
  });
  return { view: new TerminalView(run, stream), rows: () => screen(written) };
};

it("keeps each bar in its row, however often they are drawn", async () => {
  const { view, rows: shown } = openView();
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
  const rows = shown();
  expect(rows).toHaveLength(4);
  expect(rows[0]).toBe("Loading m");
  expect(rows[1]).toMatch(/^ buffer .* 50 %/);
  expect(rows[2]).toMatch(/^ steps .* 80 % · 8 of 10/);
  expect(rows[3]).toBe(" mse 8 · sparsity 2 · L0 3 · explained 50 % · dead 0");
});

describe("the rate and the time left", () => {
  let now = 0;
  const step = (view: TerminalView, done: number, steps: number | null = 100_000): void => {
    now += 2_000;
    view.observe({ type: "step", step: done, steps, tokens: 64 * done });
  };
  const last = (view: TerminalView, rows: () => string[]): string => {
    view.stop();
    return rows().at(-1) ?? "";
  };
  beforeEach(() => {
    vi.spyOn(performance, "now").mockImplementation(() => now);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("of a resumed run are of the steps that this process took", () => {
    const { view, rows } = openView();
    view.observe({ type: "resumed", step: 50_000, exact: true });
    step(view, 50_100);
    step(view, 50_200);
    expect(last(view, rows)).toMatch(/ · 50,?200 of 100,?000 · 50\.0 steps\/s · 16m 36s left$/);
  });

  it("start again with another worker", () => {
    const { view, rows } = openView();
    step(view, 100);
    step(view, 900);
    now += 60_000;
    view.observe({ type: "filling", unread: 1, capacity: 100, tokens: 5_000 });
    view.observe({ type: "resumed", step: 500, exact: true });
    view.observe({ type: "filling", unread: 1, capacity: 100, tokens: 5_200 });
    now += 1_000;
    view.observe({ type: "filling", unread: 50, capacity: 100, tokens: 6_200 });
    // The state may be from later steps than the first ones seen.
    step(view, 520);
    step(view, 540);
    view.stop();
    const [steps, buffer] = rows().slice(-2);
    expect(steps).toMatch(/ · 540 of 100000 · 10\.0 steps\/s · 2h 45m left$/);
    expect(buffer).toMatch(/ · 1,000 tokens\/s$/);
  });

  it("where the number of steps is not known, no time is left", () => {
    const { view, rows } = openView();
    step(view, 100, null);
    step(view, 200, null);
    expect(last(view, rows)).toMatch(/ · 200 of 201 · 50\.0 steps\/s$/);
  });
});
