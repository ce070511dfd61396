import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { configOf, ResumeFolder } from "../checkpoint/index.ts";
import { checkSameRun, parseConfig, resolveRun, whenceOf } from "../config/index.ts";
import { ConfigError, DictlearnError } from "../errors.ts";
import { type RunTrainOptions, train } from "./run-train.ts";

/** Resumes the run in a folder; returns the exit code. Keys that the training does not depend on may be overridden. */
export const resume = async (
  folder: string,
  overrides: Readonly<Record<string, string>>,
  options: Omit<RunTrainOptions, "overwrite" | "resume">,
): Promise<number> => {
  const kept = new ResumeFolder(folder);
  if (!kept.exists) return nothingToResume(folder, overrides);
  const { run } = await kept.read();
  const begun = configOf(run, folder);
  const config = parseConfig(begun, { overrides, source: `The config of ${folder}` });
  checkSameRun(begun, config);
  const whence = whenceOf(begun, { source: "as the run was begun", overrides });
  return await train(resolveRun({ ...config, output: folder }, whence), { ...options, overwrite: false, resume: true });
};

const nothingToResume = (folder: string, overrides: Readonly<Record<string, string>>): number => {
  if (!existsSync(folder)) throw new ConfigError(`There is no folder ${folder} to resume.`);
  if (isDone(folder)) {
    const [key] = Object.keys(overrides);
    if (key !== undefined) {
      throw new ConfigError(`The run in ${folder} is done, so --${key} changes nothing.`, {
        hint: "For a longer or another run, train into a new --output.",
      });
    }
    console.log(`The run in ${folder} is done; nothing is left to do.`);
    return 0;
  }
  throw new DictlearnError(`The folder ${folder} holds no run that could be resumed.`, {
    code: "not_resumable",
    hint: "Name the output folder of a run that was begun with resume: exact or light.",
  });
};

/** Whether every dictionary of the run has its weights. */
const isDone = (folder: string): boolean => {
  const all = [folder, ...readdirSync(folder).map((name) => join(folder, name))];
  const begun = all.filter((each) => existsSync(join(each, "config.json")));
  return begun.length > 0 && begun.every((each) => existsSync(join(each, "ae.pt")));
};
