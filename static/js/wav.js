// A take as a file: 24-bit PCM WAV, one channel, exactly the samples that came.

const HEADER = 44;
const BYTES = 3;
const FULL_SCALE = 2 ** 23;

function putText(view, place, text) {
  [...text].forEach((letter, k) => view.setUint8(place + k, letter.charCodeAt(0)));
}

function putHeader(view, frames, sampleRate) {
  const size = frames * BYTES;
  putText(view, 0, "RIFF");
  view.setUint32(4, HEADER - 8 + size + (size % 2), true);
  putText(view, 8, "WAVEfmt ");
  view.setUint32(16, 16, true); // length of the format chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * BYTES, true);
  view.setUint16(32, BYTES, true);
  view.setUint16(34, 8 * BYTES, true);
  putText(view, 36, "data");
  view.setUint32(40, size, true);
}

/** Samples in -1..1 (Float32Array) as the bytes of a WAV file. */
export function encodeWav(samples, sampleRate) {
  const size = samples.length * BYTES;
  const buffer = new ArrayBuffer(HEADER + size + (size % 2)); // chunks are padded to even lengths
  const view = new DataView(buffer);
  putHeader(view, samples.length, sampleRate);
  let place = HEADER;
  for (const sample of samples) {
    const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
    view.setUint16(place, value & 0xffff, true);
    view.setInt8(place + 2, value >> 16);
    place += BYTES;
  }
  return buffer;
}

/** SHA-256 of bytes, in hexadecimal. */
export async function sha256(buffer) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
