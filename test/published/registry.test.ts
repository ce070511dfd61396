import { describe, expect, it } from "vitest";
import {
  PUBLISHED_SETS,
  publishedAt,
  publishedDictionaries,
  publishedSet,
  publishedShapes,
} from "../../src/published/index.ts";

const message = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof Error && "hint" in error) return `${error.message} ${String(error.hint)}`;
  }
  throw new Error("Expected an error with a hint.");
};

describe("the registry of released dictionaries", () => {
  it("has two sets of six MLPs with statistics and one of nineteen sites without", () => {
    expect(PUBLISHED_SETS.map(({ name, dictionaries }) => [name, dictionaries.length])).toEqual([
      ["0_8192", 6],
      ["1_32768", 6],
      ["10_32768", 19],
    ]);
    const measured = PUBLISHED_SETS.flatMap(({ dictionaries }) => dictionaries).filter((each) => each.statistics);
    expect(measured.map(({ site }) => site)).toEqual(
      [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5].map((layer) => `mlp_out_layer${layer}`),
    );
    const folders = PUBLISHED_SETS.flatMap(({ dictionaries }) => dictionaries.map(({ folder }) => folder));
    expect(new Set(folders).size).toBe(31);
  });

  it("states the tables: the printed error squared is the corrected one, to its three decimals", () => {
    for (const { statistics } of publishedSet("0_8192").dictionaries) {
      const { mse_loss = Number.NaN, corrected_mean_square_error = Number.NaN } = statistics ?? {};
      expect(Math.abs(mse_loss ** 2 - corrected_mean_square_error)).toBeLessThan(0.001);
    }
    // The column sums of the published tables.
    const sum = (set: string, column: "l1_loss" | "l0" | "alive" | "loss_recovered" | "mse_loss") =>
      publishedSet(set).dictionaries.reduce((total, { statistics }) => total + (statistics?.[column] ?? 0), 0);
    expect(sum("0_8192", "l0")).toBeCloseTo(701.269, 9);
    expect(sum("0_8192", "l1_loss")).toBeCloseTo(122.232, 9);
    expect(sum("0_8192", "alive")).toBeCloseTo(4.538, 9);
    expect(sum("0_8192", "loss_recovered")).toBeCloseTo(5.576, 9);
    expect(sum("1_32768", "mse_loss")).toBeCloseTo(1.07, 9);
    expect(sum("1_32768", "l0")).toBeCloseTo(143.454, 9);
    expect(sum("1_32768", "l1_loss")).toBeCloseTo(64.905, 9);
    expect(sum("1_32768", "alive")).toBeCloseTo(0.997, 9);
    expect(sum("1_32768", "loss_recovered")).toBeCloseTo(4.95, 9);
  });

  it("states shapes from which the size of a file follows", () => {
    for (const set of PUBLISHED_SETS) {
      for (const dictionary of set.dictionaries) {
        const numbers = Object.values(publishedShapes(dictionary)).map((shape) => shape.reduce((a, b) => a * b));
        const bytes = 4 * numbers.reduce((a, b) => a + b);
        expect(Math.abs(bytes / set.ae_bytes - 1)).toBeLessThan(0.001);
      }
    }
  });

  it("finds dictionaries by layer, by site and by folder", () => {
    const sites = (set: string, wanted: (string | number)[]) =>
      publishedDictionaries(publishedSet(set), wanted).map(({ site }) => site);
    expect(sites("0_8192", [5, "mlp_out_layer1"])).toEqual(["mlp_out_layer1", "mlp_out_layer5"]);
    expect(sites("10_32768", ["0", "embed"])).toEqual([
      "embed",
      "attn_out_layer0",
      "mlp_out_layer0",
      "resid_out_layer0",
    ]);
    expect(sites("10_32768", [])).toHaveLength(19);
    expect(publishedAt("/data/pythia-70m-deduped/resid_out_layer2/10_32768/")).toMatchObject({
      submodule: "gpt_neox.layers.2",
      layer: 2,
    });
    expect(publishedAt("runs/quickstart")).toBeUndefined();
  });

  it("names the nearest name of one that is not known", () => {
    expect(message(() => publishedSet("0_8129"))).toBe(
      "There is no published set 0_8129. Did you mean 0_8192? There are 0_8192, 1_32768, 10_32768.",
    );
    expect(message(() => publishedDictionaries(publishedSet("0_8192"), ["mlp_layer1"]))).toContain(
      "Did you mean mlp_out_layer1",
    );
    expect(message(() => publishedDictionaries(publishedSet("0_8192"), [6]))).toContain("There are 0, 1, 2, 3, 4, 5");
    expect(message(() => publishedDictionaries(publishedSet("0_8192"), ["embed"]))).toContain("no layer or site embed");
  });
});
