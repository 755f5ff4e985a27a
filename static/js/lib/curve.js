// The loss curve that a page keeps: key frames bring the whole of it, the others append a row.

const COLUMNS = 5;
const LIMIT = 2000;

/** Columns: epoch, training loss, unseen loss, training accuracy, unseen accuracy. NaN becomes null (a gap). */
export class Curve {
  /** @type {(number | null)[][]} */
  columns = Array.from({ length: COLUMNS }, () => []);

  get length() {
    return this.columns[0].length;
  }

  /**
   * Replace everything.
   * @param {ArrayLike<number>} rows Row by row, five numbers each.
   */
  replace(rows) {
    this.columns = Array.from({ length: COLUMNS }, () => []);
    for (let start = 0; start + COLUMNS <= rows.length; start += COLUMNS) {
      for (let column = 0; column < COLUMNS; column++) this.columns[column].push(finite(rows[start + column]));
    }
  }

  /**
   * Add a row; rows at or after its epoch (training went back) are dropped first.
   * @param {number} epoch
   * @param {ArrayLike<number>} metrics Four numbers.
   */
  append(epoch, metrics) {
    while (this.length > 0 && Number(this.columns[0].at(-1)) >= epoch) for (const column of this.columns) column.pop();
    this.columns[0].push(epoch);
    for (let index = 1; index < COLUMNS; index++) this.columns[index].push(finite(metrics[index - 1]));
    if (this.length > LIMIT) this.#thin();
  }

  /** Every second row of the older three quarters goes: the newest part stays fine. */
  #thin() {
    const border = Math.floor(this.length * 0.75);
    this.columns = this.columns.map((column) => column.filter((_, row) => row >= border || row % 2 === 0));
  }
}

/** @param {number} value */
function finite(value) {
  return Number.isFinite(value) ? value : null;
}
