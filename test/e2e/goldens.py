"""One model in f32 against goldens/decoders.json: prompts' ids, 48 greedy ids and logits, on every instruction set of the
package, with 1, 2 and 3 threads, and with the prompt whole or token by token. Usage: goldens.py MODEL
"""

import json
import sys
import tempfile
import unittest

import numpy as np

import harness

MODEL = sys.argv.pop(1)
LOGITS_TOLERANCE = 2e-3  # goldens come from float64, rounded to five decimals; f32 sums differ by 1e-4 or so
STEP_TOLERANCE = 1e-3    # other kernels add in another order


class Goldens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prompts = json.loads(harness.golden("decoders.json").read_text())[MODEL]["prompts"]
        cls.package = harness.package(harness.model(MODEL), "--quantize", "f32")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def generate(self, prompt, *options):
        """(JSON of the run, logits of the last prompt position)"""
        file = self.folder.name + "/logits"
        result = harness.sinter_json("run", self.package, "--prompt", prompt["text"], "--temperature", 0, "--ignore-eos",
                                     "--logits", file, *options)
        return result, np.fromfile(file, dtype="<f4")

    def matches(self, prompt, result, logits):
        self.assertEqual(result["prompt_tokens"], prompt["ids"])
        self.assertEqual(result["tokens"], prompt["greedy"])
        ids = [id for id, _ in prompt["logits_top10"]]
        expected = np.array([value for _, value in prompt["logits_top10"]])
        self.assertLessEqual(np.abs(logits[ids] - expected).max(), LOGITS_TOLERANCE)
        self.assertEqual(set(np.argsort(-logits, kind="stable")[:9]) - set(ids), set(), "the ten most likely tokens")

    def test_every_target_and_thread_count(self):
        for isa in harness.runnable(self.package):
            for prompt in self.prompts:
                alone = None
                for threads in (1, 2, 3):
                    with self.subTest(isa=isa, prompt=prompt["text"], threads=threads):
                        result, logits = self.generate(prompt, "--isa", isa, "--threads", threads, "--max-tokens",
                                                       len(prompt["greedy"]))
                        self.assertEqual((result["isa"], result["threads"]), (isa, threads))
                        self.matches(prompt, result, logits)
                        alone = logits if alone is None else alone
                        self.assertEqual(logits.tobytes(), alone.tobytes(), "other bits than with one thread")

    def test_prompt_token_by_token(self):
        for isa in harness.runnable(self.package):
            for prompt in self.prompts:
                for step in (1, 3):
                    with self.subTest(isa=isa, prompt=prompt["text"], step=step):
                        whole, logits = self.generate(prompt, "--isa", isa, "--max-tokens", 8)
                        stepped, others = self.generate(prompt, "--isa", isa, "--max-tokens", 8, "--prefill-step", step)
                        self.assertEqual(stepped["tokens"], whole["tokens"])
                        self.assertLessEqual(np.abs(logits - others).max(), STEP_TOLERANCE)


if __name__ == "__main__":
    harness.main()
