// Times one encoder under ONNX Runtime: node onnx_runtime.js MODULE MODEL.onnx TOKENS THREADS SECONDS
// MODULE is the folder of npm's onnxruntime-node. Prints the milliseconds of every run after the first three as JSON.

const [modulePath, model, tokens, threads, seconds] = process.argv.slice(2);
const ort = require(modulePath);

async function main() {
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: Number(threads), interOpNumThreads: 1});
  const count = Number(tokens);
  const rows = fill => new ort.Tensor('int64', BigInt64Array.from({length: count}, (_, i) => BigInt(fill(i))), [1, count]);
  const all = {input_ids: rows(i => 1000 + (i * 7919) % 20000), attention_mask: rows(() => 1), token_type_ids: rows(() => 0)};
  const feeds = Object.fromEntries(session.inputNames.map(name => [name, all[name]]));
  const times = [];
  for (let run = 0, end = Infinity; performance.now() < end; ++run) {
    const begin = performance.now();
    await session.run(feeds);
    if (run == 2)
      end = performance.now() + 1000 * Number(seconds);
    else if (run > 2)
      times.push(performance.now() - begin);
  }
  console.log(JSON.stringify(times));
}

main().catch(error => {
  console.error(String(error));
  process.exit(1);
});
