import { describe, expect, test } from "vitest";
import { PipOutput } from "../../src/environment/pip-output.ts";

describe("PipOutput", () => {
  test("counts packages as they are fetched, each once", () => {
    const output = new PipOutput(3);
    const lines = [
      "Looking in indexes: https://example.org/simple",
      "Collecting torch==2.13.0 (from -r requirements.txt (line 3))",
      "  Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl.metadata (30 kB)",
      "Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl (190.2 MB)",
      "Collecting typing-extensions==4.16.0",
      "  Using cached typing_extensions-4.16.0-py3-none-any.whl (44 kB)",
      "Processing /wheels/tiny-1.0-py3-none-any.whl",
      "Processing /wheels/tiny-1.0-py3-none-any.whl",
      "Installing collected packages: tiny, typing-extensions, torch",
    ];
    const seen = lines.map((line) => output.read(line)).map((each) => each && [each.stage, each.detail, each.done]);
    expect(seen).toEqual([
      undefined,
      ["Resolving", "torch", 0],
      undefined,
      ["Downloading", "torch 2.13.0 (190.2 MB)", 1],
      ["Resolving", "typing-extensions", 1],
      ["Downloading", "typing_extensions 4.16.0 (44 kB)", 2],
      ["Downloading", "tiny 1.0", 3],
      ["Downloading", "tiny 1.0", 3],
      ["Installing", "3 packages", 0],
    ]);
  });

  const none = "ERROR: No matching distribution found for torch==2.13.0";
  test.each([
    [
      ["WARNING: Retrying … NewConnectionError('… Temporary failure in name resolution')", none],
      "could not be reached",
      "network",
    ],
    [
      ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
      "the disk is full",
      "DICTLEARN_CACHE",
    ],
    [
      ["ERROR: Could not find a version", none],
      "pip says: No matching distribution found for torch==2.13.0",
      "--python",
    ],
    [["something odd."], "pip says: something odd", "--python"],
    [[], "pip says: nothing", "--python"],
  ])("explains %j", (lines, reason, hint) => {
    const output = new PipOutput(1);
    for (const line of lines) output.read(line);
    expect(output.failure().reason).toContain(reason);
    expect(output.failure().hint).toContain(hint);
  });
});
