import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { ResumeFolder } from "../../src/checkpoint/index.ts";
import { writeConfig } from "../cli/support.ts";
import { Life, type LifeEnd } from "./life.ts";
import { outputs, undisturbed } from "./outputs.ts";
import { seeded } from "./random.ts";

export interface KillsOptions {
  readonly config: object;
  readonly seed: number;
  readonly kills: number;
}

/** The time of the next kill: this many events from now, plus a short delay. */
interface Blow {
  readonly victim: "node" | "worker";
  readonly events: number;
  readonly delay: number;
}

/** Events of a life until the latest kill: a life can end anywhere from its start to well after two states. */
const FARTHEST_EVENT = 45;
const LONGEST_DELAY_MS = 40;

/**
 * Runs a config repeatedly, kills Node or the worker at random moments, resumes the run each time, and compares each
 * finished run's files with those of an undisturbed run. Returns how many runs finished.
 */
export const survivesKills = async ({ config, seed, kills }: KillsOptions): Promise<number> => {
  const expected = await undisturbed(config);
  const random = seeded(seed);
  let left = kills;
  let runs = 0;
  while (left > 0) {
    const { file, output } = writeConfig(config);
    let args = [file];
    for (;;) {
      let blow = left > 0 ? nextBlow(random) : undefined;
      let events = 0;
      const life = await Life.start(args, (_, each) => {
        events += 1;
        if (blow === undefined || events < blow.events) return;
        const { victim, delay } = blow;
        left -= 1;
        events = 0;
        // This life survives the worker's death, but not Node's.
        blow = victim === "worker" && left > 0 ? nextBlow(random) : undefined;
        void sleep(delay).then(() => each.kill(victim));
      });
      const end = await life.end();
      if (end.code === 0) break;
      checkStop(end, `seed ${seed}, kill ${kills - left}`);
      // Killed before its folder became a run, it starts from scratch.
      args = isRun(output) ? ["--resume", output] : [file];
    }
    expect(outputs(output), `seed ${seed}, run ${runs}`).toEqual(expected);
    runs += 1;
  }
  return runs;
};

const isRun = (output: string): boolean => new ResumeFolder(output).exists || existsSync(join(output, "config.json"));

const nextBlow = (random: () => number): Blow => ({
  victim: random() < 0.5 ? "node" : "worker",
  events: 1 + Math.floor(random() * FARTHEST_EVENT),
  delay: Math.floor(random() * LONGEST_DELAY_MS),
});

/** Only our own kill, and the worker's fourth death in a row, may stop a run. */
const checkStop = ({ code, signal, stderr }: LifeEnd, where: string): void => {
  if (signal === "SIGKILL") return;
  expect(stderr, where).toMatch(/^dictlearn: The Python worker .*(ended|could not start)/m);
  expect(code, where).toBe(1);
};
