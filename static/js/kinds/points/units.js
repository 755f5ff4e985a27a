// Where each layer begins in sections that go through all units.

/**
 * Number of the first unit of each layer when units are counted over all layers.
 * @param {ArrayLike<number>} sizes
 */
export function unitOffsets(sizes) {
  const offsets = [0];
  for (let layer = 0; layer < sizes.length; layer++) offsets.push(offsets[layer] + sizes[layer]);
  return offsets;
}
