import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import type { Findings } from "./inspect.ts";
import { ignoredVariables } from "./shell-variables.ts";

/** The result of one check. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly value: string;
  /** The remedy, if the check failed. */
  readonly fix?: string;
}

const LEAST_NODE: readonly [major: number, minor: number] = [20, 19];
/** Bytes below which even the smallest run will probably fail. */
const LEAST_MEMORY = 1e9;
export const LEAST_DISK = 1e9;
/** Bytes that the environment needs during creation. */
export const SETUP_DISK = 3e9;
export const REPAIR = "Run `dictlearn setup --repair`.";

/** `version`: as in `process.versions.node`. */
export const nodeCheck = (version: string): Check => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const ok = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  return { name: "node", ok, value: version, ...(ok ? {} : { fix: `Install Node ${LEAST_NODE.join(".")} or later.` }) };
};

/** Whether the native part of the npm package zeromq loads. */
export const zeromqCheck = async (): Promise<Check> => {
  try {
    await import("zeromq");
    const manifest = createRequire(import.meta.url)("zeromq/package.json") as { version: string };
    return { name: "zeromq", ok: true, value: manifest.version };
  } catch (error) {
    return { name: "zeromq", ok: false, value: (error as Error).message, fix: "Run `npm rebuild zeromq`." };
  }
};

/**
 * Every package of the worker: whether it can be imported, and whether it is the version that dictlearn is tested with.
 */
export const packageChecks = (found: Findings, pins: ReadonlyMap<string, string>, managed: boolean): Check[] =>
  Object.entries(found.packages).map(([name, { version, error }]) => {
    const pin = pins.get(name);
    if (error !== null) {
      const fix = managed ? REPAIR : `Install ${pin === undefined ? name : `${name}==${pin}`} into this Python.`;
      return { name, ok: false, value: version === null ? error : `${version}: ${error}`, fix };
    }
    const build = name === "torch" ? `, ${found.cuda === null ? "CPU" : `CUDA ${found.cuda}`}` : "";
    // "2.13.0+cpu" is a build of 2.13.0.
    const differs = pin !== undefined && version?.split("+")[0] !== pin;
    return { name, ok: true, value: `${version}${build}${differs ? ` (tested with ${pin})` : ""}` };
  });

/** The GPUs; no GPU is fine, a driver that does not answer is not. */
export const deviceCheck = ({ devices, cuda_error: error }: Findings): Check => {
  const name = "CUDA devices";
  if (error !== null) {
    return {
      name,
      ok: false,
      value: error,
      fix: "Update the NVIDIA driver, or hide the devices with CUDA_VISIBLE_DEVICES=''.",
    };
  }
  const gpus = devices.filter((device) => device.name !== "cpu");
  const value = gpus.map(
    (gpu) => `${gpu.name} ${gpu.kind}, ${prettyBytes(gpu.free_bytes)} of ${prettyBytes(gpu.total_bytes)} free`,
  );
  return { name, ok: true, value: value.join("; ") || "none, the CPU is used" };
};

/** The shell's variables for other Pythons, and whether the worker sees them; always passes. */
export const variablesCheck = (managed: boolean): Check => {
  const names = ignoredVariables();
  const what = managed ? "the managed environment ignores" : "this Python runs with";
  return { name: "variables", ok: true, value: names.length === 0 ? "none for Python" : `${what} ${names.join(", ")}` };
};

/** The memory that this process may still use, within the limits of its container. */
export const memoryCheck = (): Check => {
  const free = process.availableMemory();
  const ok = free >= LEAST_MEMORY;
  const fix = "Close other programs, or make the model, the buffer (buffer.n_ctxs) or the dictionaries smaller.";
  return { name: "free memory", ok, value: prettyBytes(free), ...(ok ? {} : { fix }) };
};

/** The space left where `folder` is, or will be; `least` in bytes. */
export const diskCheck = async (name: string, folder: string, least: number): Promise<Check> => {
  let free: number | undefined;
  for (let each = folder; free === undefined; each = dirname(each)) {
    free = await statfs(each).then(
      ({ bavail, bsize }) => bavail * bsize,
      // Not created yet: check its parent. The root always exists, unless all queries fail.
      () => (each === dirname(each) ? Number.NaN : undefined),
    );
  }
  const ok = !(free < least);
  const value = Number.isNaN(free) ? `unknown at ${folder}` : `${prettyBytes(free)} free at ${folder}`;
  return { name, ok, value, ...(ok ? {} : { fix: `Make room: at least ${prettyBytes(least)} are needed.` }) };
};
