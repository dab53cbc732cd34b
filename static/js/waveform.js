// A waveform on a canvas, on the fragment's clock: sample at second t of the audio stands at (t - offset_s) / rate.

import { fitCanvas, tokens } from "./curve.js";

/** The loudest sample of each pixel's worth of audio. */
function peaksOf(samples, first, last, pixels) {
  const peaks = new Float32Array(pixels);
  const step = (last - first) / pixels;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const start = Math.max(0, Math.floor(first + pixel * step));
    const end = Math.min(samples.length, Math.ceil(first + (pixel + 1) * step));
    // Every frame of a long stretch would cost more than anyone sees.
    const stride = Math.max(1, Math.floor((end - start) / 200));
    for (let k = start; k < end; k += stride) peaks[pixel] = Math.max(peaks[pixel], Math.abs(samples[k]));
  }
  return peaks;
}

/** colour: "reference" or "voice"; now_s: where the now-line stands, or null. */
export function drawWaveform(canvas, buffer, { colour, to_s, offset_s = 0, rate = 1, now_s = null }) {
  if (!canvas.clientWidth) return;
  const { pen, width, height } = fitCanvas(canvas);
  const colours = tokens(canvas);
  const pixels = Math.floor(width);
  const frame = (u) => (offset_s + u * rate) * buffer.sampleRate;
  const peaks = peaksOf(buffer.getChannelData(0), frame(0), frame(to_s), pixels);
  const loudest = Math.max(1e-4, ...peaks);
  pen.fillStyle = colours[colour];
  peaks.forEach((peak, pixel) => {
    const tall = Math.max(1, (peak / loudest) * (height - 6));
    pen.fillRect(pixel, (height - tall) / 2, 1, tall);
  });
  if (now_s === null) return;
  pen.fillStyle = colours.ink;
  pen.fillRect(Math.round((now_s / to_s) * width), 0, 2, height);
}
