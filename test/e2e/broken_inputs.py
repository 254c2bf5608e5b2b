"""Missing, truncated and mutated model directories and packages through the command line: exit code 1, one line that
starts with the program's name, no output file and no crash. The readers' own tests do this by the thousand under
sanitizers; here the whole way is walked.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

import harness

DAMAGES = 12  # per file, seeded


def damaged(original, generator):
    """Yields (what was done, bytes) for truncations, flipped bytes and overwritten ranges."""
    for number in range(DAMAGES):
        content = bytearray(original)
        where = generator.randrange(len(content))
        kind = number % 3
        if kind == 0:
            yield f"cut to {where} bytes", bytes(content[:where])
        elif kind == 1:
            content[where] ^= 1 << generator.randrange(8)
            yield f"bit flipped in byte {where}", bytes(content)
        else:
            count = min(16, len(content) - where)
            content[where:where + count] = generator.randbytes(count)
            yield f"{count} bytes overwritten at {where}", bytes(content)


def checksum(content):
    """As runtime/package_layout.h has it."""
    prime, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    lanes, padded = [1, 2, 3, 4], bytes(content) + bytes(-len(content) % 32)
    for number, (word,) in enumerate(struct.iter_unpack("<Q", padded)):
        value = (lanes[number % 4] ^ word) * prime & mask
        lanes[number % 4] = (value << 31 | value >> 33) & mask
    total = len(content) * prime & mask
    for lane in lanes:
        total = (total ^ lane ^ lane >> 29) * prime & mask
    return total ^ total >> 32


class BrokenInputs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def fails(self, program, *arguments, **options):
        done = harness.run(program, *arguments, check=False, **options)
        self.is_one_line(program, done)
        return done.stderr

    def is_one_line(self, program, done):
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, rf"\A{program.name}: [^\n]+\n\Z")

    def compile_fails(self, directory, *options):
        """Nothing may be left behind."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        message = self.fails(harness.SINTERC, directory, "-o", out / "model.sinter", *options)
        self.assertEqual(os.listdir(out), [])
        return message

    def test_command_lines(self):
        tales = harness.model("tales")
        out = self.folder / "x.sinter"
        for arguments in ([], ["-o", out], [tales], [tales, "-o", out, "--quantize", "q5"], [tales, "-o", out, "--context", 0],
                          [tales, "-o", out, "--target", "pdp-11"], [tales, "-o", out, "--context", "many"],
                          [tales, "-o", out, "--context", (1 << 30) + 1], [tales, "-o", out, "--context", 1 << 80],
                          [tales, "-o", out, "--emit", "tx", "--verify"], [tales, "-o", out, "--emit", "tx", "--stats"],
                          [tales, "--emit", "tx", "--json"],
                          [tales, "-o", out, "--embed-quantize", "q5"], [tales, "-o", out, "--emit", "pictures"],
                          [tales, "-o", out, "--print-ir-after", "nothing"], [tales, "-o", out, "--kv", "q4"],
                          [tales, "-o", out, "--no-such-option"], [tales, "-o", self.folder / "absent" / "x"],
                          [tales, "-o", self.folder], [tales, "-o", "/dev/full"], [self.folder / "absent", "-o", out],
                          [self.folder, "-o", out], [harness.ROOT / "LICENSE", "-o", out], ["", "-o", out]):
            with self.subTest(sinterc=arguments):
                self.fails(harness.SINTERC, *arguments)
                self.assertFalse(out.exists())
        self.assertIn("sinter-", self.fails(harness.SINTERC, tales, "--print-ir-after", "nothing"))
        package = harness.package(tales, "--quantize", "q8", "--target", "x86-64")
        for arguments in ([], ["frobnicate"], ["run"], ["run", self.folder / "absent"], ["run", self.folder],
                          ["run", harness.ROOT / "LICENSE"], ["run", package, "a", "--prompt", "b"],
                          ["run", package, "--prompt-ids", "1,x"], ["run", package, "--prompt-ids", "99999"],
                          ["run", package, "--prompt-ids", ""], ["run", package, "--isa", "pdp-11"],
                          ["run", package, "word " * 300], ["run", package, "--temperature", -1],
                          ["run", package, "--temperature", "nan"], ["run", package, "--temperature", "inf"],
                          ["run", package, "--top-p", 0], ["run", package, "--top-p", 1.1],
                          ["run", package, "--min-p", "nan"], ["run", package, "--repetition-penalty", 0],
                          ["run", package, "--seed", -1], ["run", package, "--top-k", -1],
                          ["run", package, "--max-tokens", 1 << 32],
                          ["bench", package, "--prompt-tokens", (1 << 32) - 1, "--gen-tokens", 1],
                          ["run", package, "--threads", 0], ["run", package, "--context", 100000],
                          ["run", package, "a", "--logits", self.folder], ["bench", package, "--prompt-tokens", 1000],
                          ["eval", package], ["eval", package, "--text", self.folder / "absent"],
                          ["tokenize", package], ["tokenize", package, "--decode", "5,99999"],
                          ["inspect", package, "--threads", -1]):
            with self.subTest(sinter=arguments):
                self.fails(harness.SINTER, *arguments)

    def test_model_files(self):
        """A damaged file may still be a model (a digit of a number changed): then the package must load."""
        original = harness.model("tales")
        generator = random.Random(1)
        for name in ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json",
                     "model.safetensors"):
            content = (original / name).read_bytes()
            # Of the weights, only the header can be wrong; any bits are numbers.
            end = 8 + int.from_bytes(content[:8], "little") if name.endswith("safetensors") else len(content)
            for what, head in damaged(content[:end], generator):
                with self.subTest(file=name, damage=what):
                    directory = self.folder / "model"
                    shutil.rmtree(directory, ignore_errors=True)
                    shutil.copytree(original, directory)
                    truncated = len(head) < end
                    (directory / name).write_bytes(head if truncated else head + content[end:])
                    out = self.folder / "out"
                    out.mkdir(exist_ok=True)
                    done = harness.sinterc(directory, "-o", out / "x.sinter", "-q", "--target", "x86-64", "--quantize", "f32",
                                           check=False)
                    if done.returncode == 0:
                        harness.sinter("run", out / "x.sinter", "--prompt-ids", "1", "--max-tokens", 1)
                        (out / "x.sinter").unlink()
                    else:
                        self.is_one_line(harness.SINTERC, done)
                    self.assertEqual(os.listdir(out), [])

    def test_unsupported_models(self):
        original = harness.model("tales")
        directory = self.folder / "model"
        for key, value, expected in (("model_type", "mamba", "mamba"), ("hidden_act", "cosine", "cosine"),
                                     ("hidden_size", 256, "128"), ("num_hidden_layers", 7, "layers.6"),
                                     ("vocab_size", 2048, "1024"), ("rope_scaling", {"rope_type": "odd"}, "odd")):
            with self.subTest(key=key):
                shutil.rmtree(directory, ignore_errors=True)
                shutil.copytree(original, directory)
                config = json.loads((directory / "config.json").read_text())
                (directory / "config.json").write_text(json.dumps({**config, key: value}))
                self.assertIn(expected, self.compile_fails(directory))

    def test_packages(self):
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--target", "x86-64")
        content = package.read_bytes()
        path = self.folder / "x.sinter"
        generator = random.Random(2)
        run = ("--prompt-ids", "1", "--max-tokens", 20, "--temperature", 0)
        whole = harness.sinter("run", package, *run).stdout
        head = 56 + 4096  # the header, and the beginning of the manifest
        for what, bytes_ in [*damaged(content, generator),
                             *((what, cut + content[head:]) for what, cut in damaged(content[:head], generator))]:
            path.write_bytes(bytes_)
            with self.subTest(damage=what):
                # Weights are only checked on request. Damage that is not seen lies in padding, and then changes nothing.
                done = harness.sinter("inspect", path, "--check", check=False)
                if done.returncode == 0:
                    self.assertEqual(len(bytes_), len(content))
                    self.assertEqual(harness.sinter("run", path, *run).stdout, whole)
                else:
                    self.is_one_line(harness.SINTER, done)

    def test_damaged_tokenizer(self):
        """With checksums that fit, so that it is the tokenizer's own reader that sees it."""
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--target", "x86-64")
        content = bytearray(package.read_bytes())
        begin = content.index(b"SNTK") - 4
        size = struct.unpack_from("<Q", content, content.index(struct.pack("<Q", begin)) + 8)[0]
        old = checksum(content[begin:begin + size])
        content[begin:begin + 4] = struct.pack("<I", size - 4)  # where the root table is
        at = content.index(struct.pack("<Q", old))
        content[at:at + 8] = struct.pack("<Q", checksum(content[begin:begin + size]))
        manifest, length = struct.unpack_from("<QQ", content, 24)
        content[40:48] = struct.pack("<Q", checksum(content[manifest:manifest + length]))
        content[48:56] = struct.pack("<Q", checksum(content[:48]))
        path = self.folder / "x.sinter"
        path.write_bytes(content)
        commands = [[harness.SINTER, "run", path, "Once"]]
        if list((harness.BUILD / "lib" / "sinter").glob("*/program")):
            commands.append([harness.SINTERC, path, "--output-kind", "exe", "-o", self.folder / "x"])
        for command in commands:
            self.assertIn("x.sinter: the tokenizer section is damaged", self.fails(*command))
        self.assertEqual(os.listdir(self.folder), ["x.sinter"])

    def test_damaged_weights(self):
        """They are mapped, not read, when a package is opened: --check reads them."""
        package = harness.package(harness.model("tales"), "--quantize", "q8", "--target", "x86-64")
        content = bytearray(package.read_bytes())
        path = self.folder / "x.sinter"
        weights = harness.sinter_json("inspect", package)["parts"]["weights"]
        self.assertGreater(weights, len(content) // 2)
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        self.assertIn("checksum", self.fails(harness.SINTER, "inspect", path, "--check"))

    def test_full_disk(self):
        """A limit on the size of files stands for a full disk; /dev/full is one for what is printed."""
        tales = harness.model("tales")
        out = self.folder / "out"
        out.mkdir()

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

        self.fails(harness.SINTERC, tales, "-o", out / "x.sinter", "--quantize", "f32", preexec_fn=limit,
                   restore_signals=False)
        self.assertEqual(os.listdir(out), [])
        package = harness.package(tales, "--quantize", "q8", "--target", "x86-64")
        with open("/dev/full", "w") as full:
            for command in ([harness.SINTERC, tales, "--emit", "tx"], [harness.SINTER, "inspect", package], [harness.SINTER, "run", "--help"],
                            [harness.SINTER, "run", package, "Once", "--max-tokens", 1]):
                with self.subTest(command=command):
                    message = self.fails(*command, stdout=full, stderr=subprocess.PIPE, capture_output=False)
                    self.assertIn("standard output", message)


if __name__ == "__main__":
    harness.main()
