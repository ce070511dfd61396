/** A path as a shell takes it: in quotes where it holds anything but harmless characters. For commands that people copy. */
export const shellQuoted = (path: string): string =>
  /^[\w./:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
