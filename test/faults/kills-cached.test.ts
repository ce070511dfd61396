import { expect, it } from "vitest";
import { survivesKills } from "./random-kills.ts";
import { cachedRun } from "./runs.ts";

// DICTLEARN_FAULT_SEED replays a failure.
const seed = Number(process.env.DICTLEARN_FAULT_SEED ?? 1);

it("cached rows: 30 kills at random moments leave the bytes of an undisturbed run", async () => {
  expect(await survivesKills({ config: cachedRun, seed, kills: 30 })).toBeGreaterThan(0);
}, 1_800_000);
