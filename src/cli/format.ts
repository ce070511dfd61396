const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 400000 → "400,000". */
export const count = (value: number): string => integer.format(value);

/** Three significant digits. */
export const number = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);

/** Four significant digits, or three where these are enough. */
export const number4 = (value: number): string =>
  Math.abs(value) >= 1 ? String(Number(value.toPrecision(4))) : number(value);

/** Progress text for the end of a bar; empty while the total is unknown. */
export const progressOf = (done: number, total: number, show: (value: number) => string = count): string =>
  total > 0 ? `${show(done)} of ${show(total)}` : "";
