import { DictlearnError } from "../errors.ts";

/** Prints one message and one hint to standard error and returns the exit code. `verbose` adds the tracebacks. */
export const reportFailure = (error: unknown, { verbose }: { readonly verbose: boolean }): number => {
  const known = error instanceof DictlearnError;
  const message = error instanceof Error ? error.message : String(error);
  console.error(known ? `dictlearn: ${oneLine(message)}` : `dictlearn: unexpected error: ${oneLine(message)}`);
  if (known && error.hint !== undefined) console.error(`  ${error.hint}`);
  if (verbose) console.error(`\n${tracebacks(error)}`);
  else if (!known) console.error("  Run it again with --verbose to see where.");
  return known ? error.exitCode : 1;
};

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, " ").trim();

/** The error's stack and those of its causes, the innermost last. */
const tracebacks = (error: unknown): string => {
  const parts: string[] = [];
  for (
    let each: unknown = error;
    each !== undefined && each !== null;
    each = each instanceof Error ? each.cause : undefined
  ) {
    parts.push(each instanceof Error ? (each.stack ?? each.message) : JSON.stringify(each));
  }
  return parts.join("\n\nCaused by:\n");
};
