// A die for seeds.

/**
 * A seed that is short enough to read aloud.
 * @param {number} [max] The largest that the server takes.
 */
export function newSeed(max = 9999) {
  return 1 + Math.floor(Math.random() * Math.min(max, 9999));
}
