// Where a small box goes beside what it speaks of, without leaving the room that it has. All in pixels.

/**
 * @typedef {{width: number, height: number}} Size
 * @typedef {{x: number, y: number}} Place Of a box: its upper left corner.
 */

/** @param {number} value @param {number} least @param {number} most */
function within(value, least, most) {
  return Math.max(least, Math.min(most, value)); // where there is no room at all, the near end counts
}

/**
 * Right of a thing, or left of it where there is no room; in the middle of its height.
 * @param {Size} box
 * @param {{left: number, right: number, top: number, bottom: number}} thing
 * @param {Size} room
 * @param {number} margin Between the two, and to the room's edges.
 * @returns {Place}
 */
export function besideThing(box, thing, room, margin) {
  const right = thing.right + margin;
  const left = thing.left - margin - box.width;
  return {
    x: right + box.width <= room.width - margin ? right : Math.max(margin, left),
    y: within((thing.top + thing.bottom - box.height) / 2, margin, room.height - box.height - margin),
  };
}

/**
 * Below a point, or above it where there is no room, so that the point stays in sight. In a room narrower than
 * `small` at the end that is farther away.
 * @param {Size} box
 * @param {Place} point
 * @param {{left: number, right: number, height: number}} room Its part that is seen; the height begins at 0.
 * @param {{away: number, edge: number, small: number}} gaps From the point, and to the room's sides.
 * @returns {Place}
 */
export function nearPoint(box, point, room, { away, edge, small }) {
  const foot = room.height - box.height;
  const [below, above] = [point.y + away, point.y - away - box.height];
  const farEnd = point.y < room.height / 2 || point.y >= room.height - edge ? foot : 0; // beyond the edge: pressed below the room
  const beside = below > foot && above >= 0 ? above : below;
  return {
    x: within(point.x - box.width / 2, room.left + edge, room.right - edge - box.width),
    y: room.right - room.left < small ? farEnd : beside,
  };
}
