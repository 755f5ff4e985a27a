/** The lines of a drawing, kept as points so that they can be drawn again at any size and in any colour. */

/**
 * One line of the pen; points as parts of the sheet's side (0..1, y downwards).
 * @typedef {[number, number][]} Stroke
 */

/** Width of the pen, as a part of the sheet's side: what MNIST's pens leave after scaling. */
const PEN = 0.09;

/**
 * Draws the strokes, smoothed through the middles between their points.
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Stroke[]} strokes
 * @param {number} side of the sheet, in the context's pixels
 * @param {string} color
 */
export function drawStrokes(context, strokes, side, color) {
  context.clearRect(0, 0, side, side);
  context.strokeStyle = color;
  context.lineWidth = PEN * side;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
    const [first, last] = [points[0], points[points.length - 1]];
    context.beginPath();
    context.moveTo(first[0], first[1]);
    for (let index = 1; index < points.length - 1; index++) {
      const [x, y] = points[index];
      const [nextX, nextY] = points[index + 1];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(last[0], last[1]); // of a single point this makes a dot: the caps are round
    context.stroke();
  }
}

/**
 * The ink of a sheet, from a canvas on which only strokes were drawn.
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {number} side
 * @returns {Uint8Array} grey values row by row, 0 paper to 255 ink
 */
export function inkOf(context, side) {
  const { data } = context.getImageData(0, 0, side, side);
  const ink = new Uint8Array(side * side);
  for (let pixel = 0; pixel < ink.length; pixel++) ink[pixel] = data[4 * pixel + 3];
  return ink;
}
