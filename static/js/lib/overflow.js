// What is scrolled out of sight.

/**
 * The sides at which there is more to scroll to, as CSS classes.
 * @param {{scrollLeft: number, scrollWidth: number, clientWidth: number}} element
 * @returns {string} "", "more-left", "more-right" or both.
 */
export function moreSides({ scrollLeft, scrollWidth, clientWidth }) {
  const sides = [];
  if (scrollLeft > 1) sides.push("more-left"); // a pixel is lost in rounding
  if (scrollWidth - clientWidth - scrollLeft > 1) sides.push("more-right");
  return sides.join(" ");
}
