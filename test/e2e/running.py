"""What a user sees of sinter run, bench, eval, inspect and tokenize, on the shipped model in 8 bits."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import numpy as np

import harness


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = harness.package(harness.model("tales"), "--quantize", "q8")

    def run_json(self, *arguments, **options):
        return harness.sinter_json("run", self.package, *arguments, **options)

    def test_text_is_prompt_and_continuation(self):
        told = self.run_json("Once upon a time", "--temperature", 0, "--max-tokens", 20)
        shown = harness.sinter("run", self.package, "--prompt", "Once upon a time", "--temperature", 0, "--max-tokens", 20)
        self.assertEqual(shown.stdout, "Once upon a time" + told["text"] + "\n")
        self.assertEqual(shown.stderr, "")
        self.assertEqual(len(told["tokens"]), 20)
        self.assertEqual(told["stop"], "max_tokens")
        self.assertGreater(told["prefill_tokens_per_second"], 0)
        self.assertGreater(told["decode_tokens_per_second"], 0)

    def test_prompt_forms_agree(self):
        greedy = ("--temperature", 0, "--max-tokens", 10)
        whole = self.run_json("The little dog", *greedy)
        ids = ",".join(map(str, whole["prompt_tokens"]))
        self.assertEqual(self.run_json("--prompt-ids", ids, *greedy)["tokens"], whole["tokens"])
        read = self.run_json("-", *greedy, stdin=None, input=b"The little dog")
        self.assertEqual((read["prompt_tokens"], read["tokens"]), (whole["prompt_tokens"], whole["tokens"]))

    def test_no_prompt_begins_with_bos(self):
        self.assertEqual(self.run_json("--max-tokens", 1)["prompt_tokens"], [1])

    def test_max_tokens_zero(self):
        told = self.run_json("Once", "--max-tokens", 0)
        self.assertEqual((told["tokens"], told["text"]), ([], ""))

    def test_seed(self):
        first, again, other = (self.run_json("Once", "--seed", seed, "--temperature", 1.5, "--max-tokens", 30)["tokens"]
                               for seed in (7, 7, 8))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_samplers_narrow_to_greedy(self):
        greedy = self.run_json("Once", "--temperature", 0, "--max-tokens", 20)["tokens"]
        hot = ("--temperature", 3, "--seed", 1, "--max-tokens", 20)
        for narrow in (("--top-k", 1), ("--top-p", 1e-6), ("--min-p", 1)):
            self.assertEqual(self.run_json("Once", *narrow, *hot)["tokens"], greedy, narrow)
        for wide in ((), ("--top-k", 1024), ("--top-p", 1), ("--min-p", 0)):
            self.assertNotEqual(self.run_json("Once", *wide, *hot)["tokens"], greedy, wide)

    def test_repetition_penalty(self):
        plain = self.run_json("Once", "--temperature", 0, "--ignore-eos", "--max-tokens", 60)["tokens"]
        varied = self.run_json("Once", "--temperature", 0, "--ignore-eos", "--max-tokens", 60, "--repetition-penalty", 5)["tokens"]
        self.assertGreater(len(set(varied)), len(set(plain)))

    def test_stops(self):
        """At the model's end token, or when the context is full."""
        told = self.run_json("Once upon a time", "--temperature", 0)
        self.assertIn(told["stop"], ("eos", "context"))
        full = self.run_json("Once upon a time", "--temperature", 0, "--ignore-eos", "--context", 40)
        self.assertEqual(full["stop"], "context")
        self.assertEqual(len(full["prompt_tokens"]) + len(full["tokens"]), 40)
        longest = self.run_json("--prompt-ids", ",".join(["5"] * 256), "--ignore-eos")
        self.assertLessEqual(len(longest["tokens"]), 1)

    def test_logits_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "logits"
            told = self.run_json("Once", "--logits", path, "--temperature", 0, "--max-tokens", 1)
            logits = np.fromfile(path, dtype="<f4")
        self.assertEqual(logits.size, 1024)
        self.assertEqual(int(np.argmax(logits)), told["tokens"][0])

    def test_environment_chooses_isa(self):
        environment = {**os.environ, "SINTER_ISA": "x86-64"}
        self.assertEqual(self.run_json("Once", "--max-tokens", 1, env=environment)["isa"], "x86-64")
        self.assertEqual(self.run_json("Once", "--max-tokens", 1, "--isa", "x86-64")["isa"], "x86-64")

    def test_utf8_is_whole(self):
        """Whatever is sampled, what is printed is valid UTF-8 at every moment."""
        text = "naïve 你好 \U0001F600"
        command = [harness.SINTER, "run", self.package, text, "--temperature", "1000", "--top-k", "0", "--top-p", "1",
                   "--seed", "1", "--max-tokens", "100"]
        shown = ""
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            while piece := os.read(process.stdout.fileno(), 1 << 16):
                shown += piece.decode("utf-8", "strict")
        self.assertEqual(process.returncode, 0)
        self.assertTrue(shown.startswith(text), shown)
        self.assertIn("\ufffd", shown)  # what is sampled is not

    def test_interrupt(self):
        process = subprocess.Popen([harness.SINTER, "run", self.package, "Once", "--ignore-eos", "--verbose", "--threads", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            self.skipTest("it was done before the interrupt came")
        self.assertEqual(process.returncode, 130)
        self.assertTrue(out.endswith(b"\n"))
        self.assertIn(b"stopped by interrupted", err)

    def test_verbose(self):
        self.assertRegex(harness.sinter("run", self.package, "Once", "--max-tokens", 3, "--verbose").stderr,
                         r"prompt: \d+ tokens, .* tokens/s; generated: 3 tokens")

    def test_bench(self):
        told = harness.sinter_json("bench", self.package, "--prompt-tokens", 16, "--gen-tokens", 8, "--threads", 2,
                                   "--repeat", 3)
        self.assertEqual((told["prompt_tokens"], told["gen_tokens"], told["threads"]), (16, 8, 2))
        for kind in ("prefill", "decode"):
            self.assertEqual(told[kind + "_tokens_per_second"], sorted(told[kind + "_runs"])[1])
        self.assertRegex(harness.sinter("bench", self.package, "--repeat", 1).stdout, r"(?m)^decode +64 tokens .*tokens/s")

    def test_bench_profile(self):
        """Tables add up to the time that passed, and count the work of the model."""
        told = harness.sinter_json("bench", self.package, "--prompt-tokens", 16, "--gen-tokens", 8, "--threads", 2,
                                   "--repeat", 2, "--profile")
        for phase, tokens in (("prefill", 16), ("decode", 8)):
            profile = told["profile"][phase]
            self.assertEqual(profile["tokens"], tokens)
            for table in ("kinds", "kernels", "dispatches"):
                total = sum(row["milliseconds"] for row in profile[table]) + profile["outside_milliseconds"]
                self.assertAlmostEqual(total, profile["milliseconds"], places=6)
                for row in profile[table]:
                    self.assertLessEqual(row["waiting_milliseconds"], row["milliseconds"])
            self.assertGreater(profile["milliseconds"], profile["outside_milliseconds"])

        # One row per dispatch of the schedule; what products read is what they are bound to.
        decode = told["profile"]["decode"]
        schedule = [row for row in harness.sinter_json("inspect", self.package, "--dispatches")["dispatches"]
                    if row["entry"] in ("decode", "head")]
        rows = {row["name"]: row for row in decode["dispatches"]}
        numbers = {"decode": 0, "head": 0}
        for dispatch in schedule:
            entry = dispatch["entry"]
            row = rows.pop(f"{entry} {numbers[entry]} {dispatch['kernel']}")
            numbers[entry] += 1
            self.assertEqual(row["calls"], 8)
            if dispatch["kernel"].startswith("linear"):
                bound = sum(binding["bytes"] for binding in dispatch["bindings"] if binding["space"] == "weights")
                self.assertEqual(row["bytes"], 8 * bound, dispatch["kernel"])
        self.assertEqual(rows, {})

        config = json.loads((harness.model("tales") / "config.json").read_text())
        hidden, heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
        head = config.get("head_dim") or hidden // heads
        kv_heads = config.get("num_key_value_heads", heads)
        body = hidden * head * (2 * heads + 2 * kv_heads) + 3 * hidden * config["intermediate_size"]
        kinds = {row["name"]: row for row in decode["kinds"]}
        self.assertEqual(kinds["linear"]["multiply_adds"], 8 * (layers * body + config["vocab_size"] * hidden))
        looks = sum(position + 1 for position in range(16, 24))
        self.assertEqual(kinds["attention"]["multiply_adds"], layers * looks * 2 * heads * head)

        shown = harness.sinter("bench", self.package, "--gen-tokens", 2, "--repeat", 1, "--profile").stdout
        self.assertRegex(shown, r"(?m)^prefill: 128 tokens in .* ms")
        self.assertRegex(shown, r"(?m)^ +[\d.]+ +[\d.]+% .* linear$")
        self.assertRegex(shown, r"(?m) head 0 linear_")

    def test_bench_limits(self):
        """Shares follow from the rates, the work per token and the limits; each instruction set has limits of its own."""
        peaks = {}
        for isa in harness.runnable(self.package):
            told = harness.sinter_json("bench", self.package, "--prompt-tokens", 16, "--gen-tokens", 8, "--threads", 2,
                                       "--repeat", 3, "--limits", "--profile", "--isa", isa)
            limits = told["limits"]
            self.assertGreaterEqual(limits["read_buffer_bytes"], 16 << 20)
            for phase, tokens in (("prefill", 16), ("decode", 8)):
                kinds = told["profile"][phase]["kinds"]
                bytes_read = sum(row["bytes"] for row in kinds) / tokens
                self.assertAlmostEqual(told[phase + "_bytes_per_token"], bytes_read)
                products = {int8: sum(row["multiply_adds"] for row in kinds if (row["name"] == "linear") == int8) / tokens
                            for int8 in (True, False)}
                self.assertAlmostEqual(told[phase + "_multiply_adds_per_token"], sum(products.values()))
                rate = told[phase + "_tokens_per_second"]
                for share, amount, limit in (("read", bytes_read, "read_gigabytes_per_second"),
                                             ("int8", 2 * products[True], "int8_gigaoperations_per_second"),
                                             ("float", 2 * products[False], "float_gigaoperations_per_second")):
                    self.assertAlmostEqual(told[f"{phase}_share_of_{share}"], rate * amount * 1e-9 / limits[limit])
            peaks[isa] = limits["int8_gigaoperations_per_second"]
        self.assertEqual(len(set(peaks.values())), len(peaks))
        self.assertRegex(harness.sinter("bench", self.package, "--repeat", 1, "--limits").stdout,
                         r"(?m)^machine +read .* GB/s, int8 .* GOPS, float .* GOPS\n"
                         r"prefill +uses .*% of read, .*% of int8, .*% of float$")

    def test_bench_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.json"
            harness.sinter("bench", self.package, "--prompt-tokens", 16, "--gen-tokens", 8, "--threads", 2, "--repeat", 1,
                           "--trace", path)
            events = json.loads(path.read_text())["traceEvents"]
            failed = harness.sinter("bench", self.package, "--gen-tokens", 1, "--repeat", 1, "--trace", folder, check=False)
        self.assertEqual((failed.returncode, failed.stdout), (1, ""))
        self.assertIn(f"cannot write {folder}", failed.stderr)
        sizes = {row["entry"]: row["dispatches"] for row in harness.sinter_json("inspect", self.package)["entries"]}
        for thread in (0, 1):
            spans = [event for event in events if event["ph"] == "X" and event["tid"] == thread]
            for entry, calls in (("prefill", 1), ("decode", 8), ("head", 9)):
                mine = [event for event in spans if event.get("args", {}).get("entry") == entry]
                self.assertEqual(len(mine), calls * sizes[entry])
            spans.sort(key=lambda event: event["ts"])
            for before, after in zip(spans, spans[1:]):
                self.assertLessEqual(before["ts"] + before["dur"], after["ts"] + 1e-3)
        self.assertEqual([event["args"]["name"] for event in events if event["ph"] == "M"], ["thread 0", "thread 1"])

    def test_eval(self):
        text = b"Once upon a time there was a dog.\n<|end|>\nA cat sat.\n"
        told = harness.sinter_json("eval", self.package, "--text", "-", stdin=None, input=text)
        self.assertEqual(told["documents"], 2)
        self.assertAlmostEqual(told["perplexity"], np.exp(told["nll"]))
        same = harness.sinter_json("eval", self.package, "--text", "-", "--against", self.package, stdin=None, input=text)
        self.assertEqual((same["kl"], same["top1_agreement"]), (0, 1))

    def test_tokenize(self):
        told = harness.sinter_json("tokenize", self.package, "Once upon a time")
        self.assertEqual(told["tokens"], [1, 389, 391, 261, 362])
        listed = harness.sinter("tokenize", self.package, "Once upon a time").stdout.split("\n")
        self.assertEqual([int(line.split()[0]) for line in listed if line], told["tokens"])
        ids = harness.sinter("tokenize", self.package, "Once upon a time", "--ids").stdout.strip()
        self.assertEqual(ids, "1,389,391,261,362")
        self.assertEqual(harness.sinter("tokenize", self.package, "--decode", ids, "--no-special").stdout, "Once upon a time\n")
        self.assertEqual(harness.sinter_json("tokenize", self.package, "<s>", "--no-special")["tokens"].count(1), 0)

    def test_inspect(self):
        told = harness.sinter_json("inspect", self.package, "--context", 100, "--threads", 2, "--check", "--dispatches")
        self.assertEqual(sum(told["parts"].values()), self.package.stat().st_size)
        self.assertEqual([row["target"] for row in told["targets"]], harness.TARGETS)
        memory = told["memory"]
        self.assertEqual(memory["total"], sum(memory.values()) - memory["total"])
        larger = harness.sinter_json("inspect", self.package, "--context", 200, "--threads", 2)["memory"]
        self.assertGreater(larger["cache"], memory["cache"])
        for entry in told["entries"]:
            rows = [row for row in told["dispatches"] if row["entry"] == entry["entry"]]
            self.assertEqual((len(rows), sum(row["barrier"] for row in rows)), (entry["dispatches"], entry["barriers"]))
        shown = harness.sinter("inspect", self.package, "--context", 100, "--threads", 2, "--check", "--dispatches").stdout
        self.assertIn(f"{memory['total']:,}", shown)
        self.assertIn("checksum holds", shown)

    def test_ids_without_tokens(self):
        """Vocabularies are often padded past the tokenizer's: such an id is computed like any, and has no text."""
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder) / "model"
            shutil.copytree(harness.model("tales"), directory)
            tokenizer = json.loads((directory / "tokenizer.json").read_text())
            gone, left = max(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])[0], []
            for merge in tokenizer["model"]["merges"]:
                if "".join(merge if isinstance(merge, list) else merge.split(" ")) != gone:
                    left.append(merge)
            last = tokenizer["model"]["vocab"].pop(gone)
            tokenizer["model"]["merges"] = left
            (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
            package = pathlib.Path(folder) / "x.sinter"
            harness.sinterc(directory, "-o", package, "-q", "--target", "native")
            shown = harness.sinter("run", package, "--prompt-ids", f"389,{last},391", "--max-tokens", 0).stdout
            self.assertEqual(shown, "Once upon\n")

    def test_without_tokenizer(self):
        package = harness.package(harness.random_model("tiny-qwen3"), "--quantize", "q8", "--target", "native")
        told = harness.sinter_json("run", package, "--prompt-ids", "3,4,5", "--max-tokens", 4, "--ignore-eos")
        self.assertEqual((told["prompt_tokens"], len(told["tokens"]), told["text"]), ([3, 4, 5], 4, None))
        shown = harness.sinter("run", package, "--prompt-ids", "3,4,5", "--max-tokens", 4, "--ignore-eos", "--temperature", 0)
        self.assertEqual(len(shown.stdout.split()), 7)
        harness.sinter("bench", package, "--prompt-tokens", 4, "--gen-tokens", 4, "--repeat", 1)
        for command in (["run", package, "text"], ["tokenize", package, "text"], ["eval", package, "--text", "/dev/null"]):
            self.assertIn("has no tokenizer", harness.sinter(*command, check=False).stderr)

    def test_help_and_version(self):
        self.assertRegex(harness.sinter("--version").stdout, r"\Asinter \d+\.\d+\.\d+\n")
        for command in ("run", "bench", "eval", "inspect", "tokenize"):
            shown = harness.sinter(command, "--help").stdout
            self.assertIn("--json", shown)
            self.assertIn("Example", shown)

    def test_progress_only_on_terminals(self):
        """The bar is drawn where standard error is a terminal, and taken away again."""
        command = [harness.SINTER, "bench", self.package, "--repeat", 2]
        self.assertEqual(harness.run(*command).stderr, "")
        shown = harness.on_terminal(*command)
        self.assertIn(b"measuring [", shown)
        self.assertTrue(shown.endswith(b"\r\033[K"), shown)


if __name__ == "__main__":
    harness.main()
