// The loss curve that a page keeps: key frames bring the whole of it, the others its last rows.

const COLUMNS = 5;
const LIMIT = 2000;

/** Columns: epoch, training loss, unseen loss, training accuracy, unseen accuracy. NaN becomes null (a gap). */
export class Curve {
  /** @type {(number | null)[][]} */
  columns = Array.from({ length: COLUMNS }, () => []);

  get length() {
    return this.columns[0].length;
  }

  /** Forget everything. */
  clear() {
    this.columns = Array.from({ length: COLUMNS }, () => []);
  }

  /**
   * Take in rows in order of epoch; what is there at or after their first epoch gives way to them.
   * @param {ArrayLike<number>} rows Row by row, five numbers each.
   */
  merge(rows) {
    if (rows.length < COLUMNS) return;
    let keep = this.length;
    while (keep > 0 && Number(this.columns[0][keep - 1]) >= rows[0]) keep--;
    for (const column of this.columns) column.length = keep;
    for (let start = 0; start + COLUMNS <= rows.length; start += COLUMNS) {
      for (let column = 0; column < COLUMNS; column++) this.columns[column].push(finite(rows[start + column]));
    }
    while (this.length > LIMIT) this.#thin();
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
