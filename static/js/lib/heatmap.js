// Colours a section of bytes: 0..255 stand for -1..1 of a scale.

/**
 * Paint one map. Values beyond one fill the colours whole; smaller ones stay pale, so that a neuron
 * that does little looks so.
 * @param {Uint32Array} target The pixels, as ImageData's words.
 * @param {ArrayLike<number>} bytes
 * @param {number} offset First byte of this map.
 * @param {number} scale The absolute value that 255 stands for.
 * @param {Uint32Array} table 256 colours.
 */
export function paintMap(target, bytes, offset, scale, table) {
  const share = Math.min(1, scale);
  const length = target.length;
  if (share === 1) {
    for (let pixel = 0; pixel < length; pixel++) target[pixel] = table[bytes[offset + pixel]];
    return;
  }
  for (let pixel = 0; pixel < length; pixel++) {
    target[pixel] = table[Math.round(127.5 + (bytes[offset + pixel] - 127.5) * share)];
  }
}
