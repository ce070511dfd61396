import { join } from "node:path";
import { execa } from "execa";
import { temporaryFolder } from "../cli/support.ts";
import { python } from "../support.ts";

/** Dictionaries with known answers: f = ReLU(±x) reconstructs x; with one silent feature every row becomes the bias. */
const MAKE = `
import sys, json, torch
for name, (kind, width, value) in json.loads(sys.argv[2]).items():
    eye = torch.eye(width)
    if kind == "identity":
        state = {"bias": torch.zeros(width), "encoder.weight": torch.cat([eye, -eye]),
                 "encoder.bias": torch.zeros(2 * width), "decoder.weight": torch.cat([eye, -eye], dim=1)}
    elif kind == "constant":
        state = {"bias": torch.full((width,), float(value)), "encoder.weight": torch.zeros(1, width),
                 "encoder.bias": torch.zeros(1), "decoder.weight": torch.ones(width, 1)}
    else:
        torch.manual_seed(value)
        sparse = kind == "sparse"
        decoder = torch.nn.functional.normalize(torch.randn(width, 4 * width), dim=0)
        state = {"bias": torch.randn(width) if sparse else torch.zeros(width), "encoder.weight": decoder.T.clone(),
                 "encoder.bias": torch.full((4 * width,), -12.0 if sparse else -1.0), "decoder.weight": decoder}
    torch.save(state, f"{sys.argv[1]}/{name}.pt")`;

type Made = readonly [kind: "identity" | "constant" | "random" | "sparse", width: number, value: number];

/** Writes an ae.pt for each name and returns their paths; one Python for all, because it starts slowly. */
export const makeDictionaries = async <Name extends string>(
  wanted: Readonly<Record<Name, Made>>,
): Promise<Record<Name, string>> => {
  const folder = temporaryFolder();
  await execa(await python(), ["-c", MAKE, folder, JSON.stringify(wanted)]);
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, join(folder, `${name}.pt`)])) as never;
};
