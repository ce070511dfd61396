import { createHash } from "node:crypto";

/** A seed for one purpose of a run: 48 bits of SHA-256 of both, so that no two purposes share a random stream. */
export const deriveSeed = (seed: number, purpose: string): number =>
  createHash("sha256").update(`${seed}/${purpose}`).digest().readUIntBE(0, 6);
