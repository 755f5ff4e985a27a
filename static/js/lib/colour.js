// The diverging colour table of all heat maps, mixed in OKLab.
// Formulas: Björn Ottosson, "A perceptual color space for image processing" (2020).

/** @typedef {[number, number, number]} Triple sRGB 0..255, or OKLab. */

/**
 * sRGB 0..255 of "#rrggbb" or "rgb(r, g, b)". Throws for anything else.
 * @param {string} text
 * @returns {Triple}
 */
export function parseColour(text) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  if (hex) return [parseInt(hex[1], 16), parseInt(hex[2], 16), parseInt(hex[3], 16)];
  const numbers = /^rgba?\(\s*([\d.]+)[\s,]+([\d.]+)[\s,]+([\d.]+)/.exec(text);
  if (!numbers) throw new Error(`"${text}" is not a colour that can be read`);
  return [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])];
}

/** @param {Triple} srgb @returns {Triple} */
export function toOklab(srgb) {
  const [r, g, b] = srgb.map((value) => {
    const v = value / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {Triple} lab @returns {Triple} Rounded and clamped to 0..255. */
export function fromOklab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const [red, green, blue] = linear.map((v) => {
    const value = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
    return Math.min(255, Math.max(0, Math.round(value * 255)));
  });
  return [red, green, blue];
}

/**
 * 256 colours from `low` (index 0, value -1) over `middle` to `high` (index 255, value +1), as the 32-bit
 * words that ImageData holds on a little-endian machine. Distance from the middle grows with |v|^0.85.
 * @param {Triple} low
 * @param {Triple} middle
 * @param {Triple} high
 * @param {{hard?: boolean}} [options] hard: only the two ends.
 * @returns {Uint32Array}
 */
export function diverging(low, middle, high, { hard = false } = {}) {
  const [from, zero, to] = [low, middle, high].map(toOklab);
  const table = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    const value = (index - 127.5) / 127.5;
    const end = value < 0 ? from : to;
    const share = hard ? 1 : Math.abs(value) ** 0.85;
    const mixed = /** @type {Triple} */ (zero.map((part, axis) => part + share * (end[axis] - part)));
    const [red, green, blue] = fromOklab(mixed);
    table[index] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  return table;
}
