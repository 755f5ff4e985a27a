/** Where the tiles of a layer go. */

/**
 * Columns, rows and side length of large squares with which `count` tiles fill an area. A little size
 * is given up for a last row that isn't nearly empty.
 * @param {number} count
 * @param {number} width of the area, in pixels
 * @param {number} height of the area, in pixels
 * @param {number} gap between two tiles, in pixels
 * @param {number} [extra] height under each tile that is not part of the square, in pixels
 */
export function tiling(count, width, height, gap, extra = 0) {
  let best = { columns: 1, rows: count, side: 0 };
  let most = 0;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const side = Math.min((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows - extra);
    const worth = side * Math.sqrt(count / (columns * rows));
    if (worth <= most + 1e-9) continue;
    most = worth;
    best = { columns, rows, side };
  }
  return best;
}
