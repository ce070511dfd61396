import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { z } from "zod";
import { cannotWrite } from "../../checkpoint/index.ts";
import { syncFolder } from "../../checkpoint/sync-folder.ts";

/** The file that a part belongs to. A part of another version of the file must not be resumed. */
const Origin = z.object({ url: z.string(), validator: z.string(), size: z.nullable(z.number()) });
export type Origin = z.output<typeof Origin>;

/**
 * A file in progress: its bytes are collected under a hidden name next to it, which no command takes for a dictionary,
 * and it gets its own name when it is complete and checked.
 */
export class PartFile {
  /** Its final path. */
  readonly target: string;
  /** Its temporary path; with the target's extension, so that it can be checked like the target. */
  readonly path: string;
  readonly #origin: string;

  constructor(target: string) {
    const ending = extname(target);
    this.target = target;
    this.path = join(dirname(target), `.${basename(target, ending)}.part${ending}`);
    this.#origin = `${this.path}.json`;
  }

  /** Bytes received. */
  get size(): number {
    return existsSync(this.path) ? statSync(this.path).size : 0;
  }

  /** The origin of the bytes received, if they can be resumed. */
  origin(url: string): Origin | undefined {
    try {
      const origin = Origin.parse(JSON.parse(readFileSync(this.#origin, "utf8")));
      return origin.url === url ? origin : undefined;
    } catch {
      return undefined;
    }
  }

  /** Discards the bytes, and records the origin of the next ones; without a validator they could not be resumed. */
  begin(origin: { url: string; validator: string | undefined; size: number | null }): void {
    try {
      rmSync(this.#origin, { force: true });
      writeFileSync(this.path, "");
      if (origin.validator !== undefined) writeFileSync(this.#origin, JSON.stringify(origin));
    } catch (error) {
      throw cannotWrite(this.target, error);
    }
  }

  /** Appends a stream of bytes. */
  async append(chunks: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): Promise<void> {
    const file = await open(this.path, "a").catch((error: unknown) => {
      throw cannotWrite(this.target, error);
    });
    try {
      for await (const chunk of chunks) {
        await file.appendFile(chunk).catch((error: unknown) => {
          throw cannotWrite(this.target, error);
        });
        onBytes(chunk.length);
      }
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  /** Gives it its final name. */
  commit(): void {
    try {
      renameSync(this.path, this.target);
      rmSync(this.#origin, { force: true });
      syncFolder(dirname(this.target));
    } catch (error) {
      throw cannotWrite(this.target, error);
    }
  }

  /** Deletes the part: it is invalid. */
  discard(): void {
    rmSync(this.path, { force: true });
    rmSync(this.#origin, { force: true });
  }
}
