// Work that is done again only for something else.

/**
 * `act`, which is left out where its arguments are the same objects (or values) as the last time.
 * @template {any[]} T
 * @param {(...given: T) => void} act
 * @returns {(...given: T) => void}
 */
export function whenChanged(act) {
  /** @type {T | null} */
  let last = null;
  return (...given) => {
    if (last?.every((value, index) => Object.is(value, given[index]))) return;
    last = given;
    act(...given);
  };
}
