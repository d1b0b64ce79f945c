// A network with one hidden layer, trained in JavaScript, that writes what it computes as a dump.
//
//     node examples/dump_writer.mjs dump_from_javascript
//     python -m compare.run --dump dump_from_javascript
//
// Arrays are stored row by row; every step becomes a folder of plain .npy files.

import { mkdirSync, writeFileSync } from "node:fs";

const [N, F, H, K, UPDATES] = [6, 5, 4, 3, 3];
const [RATE, MOMENTUM] = [0.1, 0.9];
const folder = process.argv[2] ?? "dump_from_javascript";

// The whole writer: a header padded to 128 bytes, then the numbers as they lie in memory.
function writeNpy(folder, name, values, shape) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const said = `{'descr': '<f8', 'fortran_order': False, 'shape': (${sizes}), }`;
  const head = Buffer.from("\x93NUMPY\x01\x00\x76\x00", "latin1");
  const header = Buffer.from(said.padEnd(117) + "\n", "latin1");
  const numbers = Buffer.from(Float64Array.from(values).buffer);
  writeFileSync(`${folder}/${name}.npy`, Buffer.concat([head, header, numbers]));
}

let state = 1;
const uniform = () => {
  state = (state * 48271) % 2147483647;
  return (2 * state) / 2147483647 - 1;
};
const drawn = (count) => Array.from({ length: count }, uniform);
const zeros = (count) => new Array(count).fill(0);

const shapes = { w1: [F, H], b1: [H], w2: [H, K], b2: [K] };
const x = drawn(N * F);
const targets = zeros(N * K).map((_, i) => (i % K === Math.floor(i / K) % K ? 1 : 0));

const sum = (count, term) => zeros(count).reduce((total, _, i) => total + term(i), 0);

function lossAndGradients({ w1, b1, w2, b2 }) {
  const d = { w1: zeros(F * H), b1: zeros(H), w2: zeros(H * K), b2: zeros(K) };
  let loss = 0;
  for (let n = 0; n < N; n++) {
    const z = b1.map((b, j) => b + sum(F, (i) => x[n * F + i] * w1[i * H + j]));
    const h = z.map((value) => Math.max(value, 0));
    const logits = b2.map((b, k) => b + sum(H, (j) => h[j] * w2[j * K + k]));
    const largest = Math.max(...logits);
    const total = sum(K, (k) => Math.exp(logits[k] - largest));
    const logP = logits.map((value) => value - largest - Math.log(total));
    const dlogits = logP.map((value, k) => (Math.exp(value) - targets[n * K + k]) / N);
    loss -= sum(K, (k) => targets[n * K + k] * logP[k]) / N;
    for (let k = 0; k < K; k++) d.b2[k] += dlogits[k];
    for (let j = 0; j < H; j++) {
      const dh = sum(K, (k) => dlogits[k] * w2[j * K + k]);
      const dz = z[j] > 0 ? dh : 0;
      for (let k = 0; k < K; k++) d.w2[j * K + k] += h[j] * dlogits[k];
      for (let i = 0; i < F; i++) d.w1[i * H + j] += x[n * F + i] * dz;
      d.b1[j] += dz;
    }
  }
  return [loss, d];
}

mkdirSync(folder, { recursive: true });
const rates = { learning_rate: RATE, momentum: MOMENTUM, form: "velocity" };
const run = { format: 1, activation: "relu", reduction: "mean", ...rates };
writeFileSync(`${folder}/run.json`, JSON.stringify(run));
writeNpy(folder, "x", x, [N, F]);
writeNpy(folder, "targets", targets, [N, K]);

const size = (shape) => shape.reduce((a, b) => a * b);
const filled = (make) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, make(size(shape))]));
const [w, v] = [filled(drawn), filled(zeros)];

for (let update = 0; update <= UPDATES; update++) {
  const [loss, d] = lossAndGradients(w);
  const step = `${folder}/step_${String(update).padStart(5, "0")}`;
  mkdirSync(step, { recursive: true });
  writeNpy(step, "loss", [loss], []);
  for (const [name, shape] of Object.entries(shapes)) {
    writeNpy(step, name, w[name], shape);
    writeNpy(step, `d${name}`, d[name], shape);
    writeNpy(step, `v_${name}`, v[name], shape);
    v[name] = v[name].map((value, i) => MOMENTUM * value + RATE * d[name][i]);
    w[name] = w[name].map((value, i) => value - v[name][i]);
  }
}
