// Decoding with ONNX Runtime: a prompt of random tokens, then one token at a time, past keys and values fed back as the export wants
// it. Prints JSON: tokens per second of each round. Used by exported.py.
//
//   node onnx_decode.js ORT_FOLDER MODEL.onnx VOCAB PROMPT GENERATED THREADS ROUNDS
const [folder, model, vocab, prompt, generated, threads, rounds] = process.argv.slice(2);
const ort = require(folder);

async function main() {
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: +threads, interOpNumThreads: 1});
  const past = session.inputNames.filter(name => name.startsWith("past_key_values"));
  const shapes = Object.fromEntries((session.inputMetadata || []).map(each => [each.name, each.shape]));
  const ids = values => new ort.Tensor("int64", BigInt64Array.from(values.map(BigInt)), [1, values.length]);
  const rates = [];
  for (let round = 0; round < +rounds; ++round) {
    let caches = {}, length = 0, begun = 0;
    for (const name of past) {
      const shape = shapes[name].map((size, axis) => axis == 0 ? 1 : axis == 2 ? 0 : size);
      caches[name] = new ort.Tensor("float32", new Float32Array(0), shape);
    }
    let next = Array.from({length: +prompt}, (_, i) => (i * 7919 + 13) % +vocab);
    for (let step = 0; step <= +generated; ++step) {
      const all = length + next.length, feeds = {input_ids: ids(next), ...caches};
      if (session.inputNames.includes("attention_mask"))
        feeds.attention_mask = ids(Array(all).fill(1));
      if (session.inputNames.includes("position_ids"))
        feeds.position_ids = ids(next.map((_, i) => length + i));
      const results = await session.run(feeds);
      length = all;
      for (const name of past)
        caches[name] = results[name.replace("past_key_values", "present")];
      const logits = results.logits.data, from = logits.length - +vocab;
      let best = 0;
      for (let i = 1; i < +vocab; ++i)
        if (logits[from + i] > logits[from + best])
          best = i;
      next = [best];
      if (step == 0)
        begun = performance.now();
    }
    rates.push(1000 * +generated / (performance.now() - begun));
  }
  console.log(JSON.stringify(rates));
}
main().catch(error => { console.error(error.message); process.exit(1); });
