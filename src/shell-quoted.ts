/** A path quoted for a shell, if it has anything but safe characters. For commands that users copy. */
export const shellQuoted = (path: string): string =>
  /^[\w./:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
