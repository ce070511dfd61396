const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 400000 → "400,000". */
export const count = (value: number): string => integer.format(value);

/** Three significant digits. */
export const number = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);

/** Four significant digits, or three where they say more than enough. */
export const number4 = (value: number): string =>
  Math.abs(value) >= 1 ? String(Number(value.toPrecision(4))) : number(value);

/** How far something is, for the end of a bar; empty as long as nobody knows how much there is to do. */
export const progressOf = (done: number, total: number, show: (value: number) => string = count): string =>
  total > 0 ? `${show(done)} of ${show(total)}` : "";
