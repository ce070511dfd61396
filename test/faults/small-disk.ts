import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../cli/support.ts";

/** A disk of a few megabytes, in memory. */
export class SmallDisk implements Disposable {
  readonly path = temporaryFolder();
  readonly #mounted: boolean;

  constructor(megabytes: number) {
    this.#mounted = mount(["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", this.path]);
  }

  /** Mounting needs rights that not every machine grants. */
  get available(): boolean {
    return this.#mounted;
  }

  /** Fills the disk up to this many free bytes. */
  fill(leaving: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    const file = openSync(join(this.path, "ballast"), "w");
    writeSync(file, Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
    closeSync(file);
  }

  makeRoom(): void {
    rmSync(join(this.path, "ballast"));
  }

  readOnly(): void {
    mount(["-o", "remount,ro", this.path]);
  }

  writable(): void {
    mount(["-o", "remount,rw", this.path]);
  }

  [Symbol.dispose](): void {
    if (this.#mounted) spawnSync("umount", ["-l", this.path]);
  }
}

const mount = (args: readonly string[]): boolean => spawnSync("mount", [...args]).status === 0;
