"""Perplexity of one model by format, against the f32 value of goldens/decoders.json. Usage: perplexity.py MODEL"""

import json
import sys
import unittest

import harness

MODEL = sys.argv.pop(1)
KL_DOCUMENTS = 12
# Shares of the f32 perplexity, somewhat above what docs/formats.md has. Small models lose much at 4 bits; these bounds only catch a quantizer that broke.
Q4_BOUNDS = {"tales": 0.05, "stories15M": 0.15, "minimind2-small": 0.8}
Q4M_BOUNDS = {"tales": 0.025, "stories15M": 0.06, "minimind2-small": 0.3}


class Perplexity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.golden = json.loads(harness.golden("decoders.json").read_text())[MODEL]["eval"]
        cls.text = harness.golden(cls.golden["file"])
        cls.directory = harness.model(MODEL)

    def eval(self, quantize, *options):
        return harness.sinter_json("eval", harness.package(self.directory, "--quantize", quantize, *options), "--text",
                                   self.text)

    def within(self, result, share):
        self.assertEqual((result["documents"], result["tokens"]), (self.golden["documents"], self.golden["tokens"]))
        self.assertAlmostEqual(result["perplexity"] / self.golden["perplexity"], 1, delta=share)

    def test_f32(self):
        self.within(self.eval("f32"), 0.001)

    def test_q8(self):
        self.within(self.eval("q8"), 0.01)

    def test_q4m(self):
        self.within(self.eval("q4m"), Q4M_BOUNDS[MODEL])

    def test_coded_cache(self):
        """Keys and values in 8 bits beside f32 weights, so that nothing else changes."""
        result = self.eval("f32", "--kv", "q8")
        print(f"{MODEL} f32 with q8 cache: perplexity {result['perplexity']:.4f} ({self.golden['perplexity']:.4f})")
        self.within(result, 0.002)

    def test_q4(self):
        """Reported, with its distance from f32 on the first documents."""
        result = self.eval("q4")
        exact = harness.package(self.directory, "--quantize", "f32")
        documents = self.text.read_bytes().split(b"<|end|>\n")
        excerpt = b"<|end|>\n".join(documents[:KL_DOCUMENTS])
        near = harness.sinter_json("eval", harness.package(self.directory, "--quantize", "q4"), "--text", "-", "--against",
                                   exact, stdin=None, input=excerpt)
        print(f"{MODEL} q4: perplexity {result['perplexity']:.4f} ({self.golden['perplexity']:.4f} in f32), mean KL "
              f"{near['kl']:.4f} nats, same most likely token {100 * near['top1_agreement']:.1f} %")
        self.within(result, Q4_BOUNDS[MODEL])
        self.assertGreater(near["top1_agreement"], 0.5)


if __name__ == "__main__":
    harness.main()
