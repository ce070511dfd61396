import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { generatePython } from "../../src/protocol/python.ts";
import { decode, encode } from "../../src/worker/codec.ts";
import { path } from "../support.ts";

interface Vectors {
  readonly requests: readonly { name: string; message: Parameters<typeof encode>[0]; hex: string }[];
  readonly replies: readonly { name: string; message: object; hex: string }[];
}

/** py_worker/tests/test_wire.py reads the same file, so neither side can drift alone. */
const vectors: Vectors = JSON.parse(readFileSync(path("test/fixtures/wire.json"), "utf8"));

describe("the wire", () => {
  it.each(vectors.requests)("encodes $name as the bytes that Python reads", ({ message, hex }) => {
    expect(Buffer.from(encode(message)).toString("hex")).toBe(hex);
  });

  it.each(vectors.replies)("decodes $name from the bytes that Python writes", ({ message, hex }) => {
    expect(decode(Buffer.from(hex, "hex"))).toEqual(message);
  });

  it("refuses a frame that is no reply, and another version", () => {
    expect(() => decode(Buffer.from("c0", "hex"))).toThrow("not a reply");
    expect(() => decode(Buffer.from("82a17602a2696401", "hex"))).toThrow("envelope version 2");
  });

  it("carries NaN and the infinities", () => {
    const reply = Buffer.from("83a17601a2696401a26f6b81a16ccb7ff8000000000000", "hex");
    expect(decode(reply)).toEqual({ v: 1, id: 1, ok: { l: Number.NaN } });
  });
});

describe("the generated Python structs", () => {
  it("are what the protocol says", () => {
    const folder = path("py_worker/dictlearn_worker/protocol");
    const generated = generatePython();
    expect(
      readdirSync(folder)
        .filter((name) => name.endsWith(".py"))
        .sort(),
    ).toEqual(Object.keys(generated).sort());
    for (const [name, text] of Object.entries(generated)) {
      expect(readFileSync(join(folder, name), "utf8")).toBe(text);
    }
  });
});
