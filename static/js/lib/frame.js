// Reads the binary frame of webapp/contract/wire.py: typed arrays are mapped onto the blob, not copied.

/**
 * @typedef {object} Wire What the server's wire.describe() tells.
 * @property {number} version
 * @property {Record<string, string>} kinds
 * @property {Record<string, string>} dtypes
 * @property {Record<string, Record<string, string>>} sections Of each kind: number -> name.
 * @property {Record<string, number>} flags
 *
 * @typedef {Uint8Array | Int8Array | Uint16Array | Int32Array | Float32Array} Numbers
 *
 * @typedef {object} Section
 * @property {Numbers} data Raw values; real ones are (raw - zero) * scale.
 * @property {number[]} shape
 * @property {number} scale
 * @property {number} zero
 *
 * @typedef {object} Header
 * @property {string} kind
 * @property {string} run
 * @property {number} sequence
 * @property {number} command The seq of the last command that this frame shows.
 * @property {number} step
 * @property {number} epoch
 * @property {number} time Seconds since 1970.
 * @property {boolean} key
 * @property {boolean} playing
 *
 * @typedef {{header: Header, sections: Record<string, Section>}} Frame
 */

const HEADER_BYTES = 64;
const ENTRY_BYTES = 32;

/** @type {Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => Numbers>} */
const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int32: Int32Array,
  float32: Float32Array,
};

/**
 * The frame in `buffer`. Throws if it isn't a whole frame of the version that `wire` describes.
 * Sections with an unknown number (a newer server's) are left out.
 * @param {ArrayBuffer} buffer
 * @param {Wire} wire
 * @returns {Frame}
 */
export function decodeFrame(buffer, wire) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint32(0, false) !== 0x4c4c4142) {
    throw new Error(`not a frame: ${buffer.byteLength} bytes without the mark LLAB`);
  }
  const version = view.getUint8(4);
  if (version !== wire.version) throw new Error(`frame of version ${version}; this page reads ${wire.version}`);
  const total = view.getUint32(60, true);
  if (total !== buffer.byteLength) throw new Error(`frame of ${total} bytes, but ${buffer.byteLength} came`);
  const flags = view.getUint32(56, true);
  const header = {
    kind: wire.kinds[view.getUint8(5)] ?? "unknown",
    sequence: view.getUint32(8, true),
    command: view.getUint32(12, true),
    step: view.getFloat64(16, true),
    epoch: view.getFloat64(24, true),
    time: view.getFloat64(32, true),
    run: runText(new Uint8Array(buffer, 40, 16)),
    key: (flags & wire.flags.key) !== 0,
    playing: (flags & wire.flags.playing) !== 0,
  };
  /** @type {Record<string, Section>} */
  const sections = {};
  const names = wire.sections[header.kind] ?? {};
  const count = view.getUint16(6, true);
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const name = names[view.getUint16(at, true)];
    const type = ARRAYS[wire.dtypes[view.getUint8(at + 2)]];
    if (!name || !type) continue;
    const shape = [];
    for (let axis = 0; axis < view.getUint8(at + 3); axis++) shape.push(view.getUint32(at + 4 + 4 * axis, true));
    const length = shape.reduce((product, size) => product * size, 1);
    sections[name] = {
      data: new type(buffer, view.getUint32(at + 20, true), length),
      shape,
      scale: view.getFloat32(at + 24, true),
      zero: view.getFloat32(at + 28, true),
    };
  }
  return { header, sections };
}

/**
 * The base64url text of a run id's 16 bytes.
 * @param {Uint8Array} bytes
 */
export function runText(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * What a page sees after `newer`: a key frame stands alone, another one is laid over what came before.
 * @param {Frame | null} older
 * @param {Frame} newer
 * @returns {Frame}
 */
export function mergeFrames(older, newer) {
  if (!older || newer.header.key) return newer;
  return { header: newer.header, sections: { ...older.sections, ...newer.sections } };
}
