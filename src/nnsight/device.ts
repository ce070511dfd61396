import { ConfigError } from "../errors.ts";
import type { Worker } from "../worker/index.ts";

/** `auto` becomes the worker's first CUDA device, or the CPU; a missing device is a `ConfigError`. */
export const resolveDevice = (worker: Worker, device: string): string => {
  const names = worker.info.devices.map(({ name }) => name);
  const first = names.find((name) => name.startsWith("cuda"));
  if (device === "auto") return first ?? "cpu";
  const wanted = device === "cuda" ? "cuda:0" : device;
  if (names.includes(wanted)) return wanted;
  throw new ConfigError(`The device ${device} is not there: this machine has ${names.join(", ")}.`, {
    hint: "Use --device auto, or run `dictlearn doctor` to see why CUDA is missing.",
  });
};
