// Colours a section of bytes: 0..255 stand for -1..1 of the value that the server draws in full colour.

/**
 * Paint one map.
 * @param {Uint32Array} target The pixels, as ImageData's words.
 * @param {ArrayLike<number>} bytes
 * @param {number} offset First byte of this map.
 * @param {Uint32Array} table 256 colours.
 */
export function paintMap(target, bytes, offset, table) {
  for (let pixel = 0; pixel < target.length; pixel++) target[pixel] = table[bytes[offset + pixel]];
}
