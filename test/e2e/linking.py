"""Executables and libraries: what they need, how large they are, and that they compute what the package computes."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

PROMPT = [1, 389, 391, 261, 362]  # "Once upon a time"
EXAMPLES = harness.ROOT / "docs" / "examples"
INCLUDES = ["-I", harness.ROOT / "runtime", "-I", "."]
COMPILER = shutil.which("clang-22") or "cc"


def symbols(*arguments):
    """Names of `nm`'s output and their letters."""
    return {tuple(line.split()[-2:]) for line in harness.run("nm", *arguments).stdout.splitlines() if len(line.split()) > 1}


def names(*arguments):
    return {name.split("@")[0] for _, name in symbols(*arguments)}


class Linking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not list((harness.BUILD / "lib" / "sinter").glob("*/program")):
            raise unittest.SkipTest("built with sanitizers: there are no programs to put packages behind")
        cls.package = harness.package(harness.model("tales"), "--quantize", "q8")
        cls.ids = harness.sinter_json("run", cls.package, "--prompt-ids", ",".join(map(str, PROMPT)), "--temperature", 0,
                                      "--max-tokens", 60)["tokens"]
        cls.text = harness.sinter("run", cls.package, "Once upon a time", "--temperature", 0, "--max-tokens", 60).stdout
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def make(self, name, *options, source=None):
        os.makedirs(os.path.join(self.folder.name, os.path.dirname(name)), exist_ok=True)
        harness.sinterc(source or self.package, "-q", "-o", os.path.join(self.folder.name, name), *options)
        return os.path.join(self.folder.name, name)

    def build(self, output, *arguments):
        harness.run(COMPILER, *INCLUDES, *arguments, "-o", output, cwd=self.folder.name)
        return os.path.join(self.folder.name, output)

    def test_executable(self):
        program = self.make("tales", "--output-kind", "exe")
        added = os.path.getsize(program) - os.path.getsize(self.package)
        print(f"program: {added:,} bytes more than the package")
        self.assertLessEqual(added, 600 * 1000)
        needed = set(re.findall(r"NEEDED.*\[(.*?)\]", harness.run("readelf", "-d", program).stdout))
        self.assertTrue(all(re.match(r"libc\.so|libm\.so|ld-linux", name) for name in needed), needed)
        self.assertEqual(harness.run(program, "Once upon a time", "--temperature", 0, "--max-tokens", 60).stdout, self.text)
        result = json.loads(harness.run(program, "--prompt-ids", "1,389,391,261,362", "--temperature=0", "--max-tokens",
                                        "60", "--json", cwd="/").stdout)
        self.assertEqual(result["tokens"], self.ids)
        self.assertGreater(result["first_token_seconds"], result["load_seconds"])
        # Copied elsewhere, on a read-only path, it is still whole.
        copy = os.path.join(self.folder.name, "copy")
        shutil.copy(program, copy)
        os.chmod(copy, 0o555)
        self.assertEqual(harness.run(copy, "Once upon a time", "--temperature", 0, "--max-tokens", 60).stdout, self.text)

    def test_executable_with_libc_inside(self):
        program = self.make("alone", "--output-kind", "exe", "--static")
        self.assertNotIn("INTERP", harness.run("readelf", "-lW", program).stdout)
        self.assertEqual(harness.run(program, "Once upon a time", "--temperature", 0, "--max-tokens", 60, env={}).stdout,
                         self.text)

    def options(self, text):
        return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.split("Examples?:", text)[0]))

    def test_options_are_those_of_run(self):
        program = self.make("options", "--output-kind", "exe")
        self.assertEqual(self.options(harness.run(program, "--help").stdout) - {"--version"},
                         self.options(harness.sinter("run", "--help").stdout) - {"--device"})
        for arguments, message in (
                (["--max-tokens", "x"], "--max-tokens: expected a whole number from 0 to 4294967295, found 'x'"),
                (["--max-tokens"], "--max-tokens needs a value: N"), (["--threads", "0"], "--threads: expected a whole"),
                (["--top-p", "nan"], "--top-p: expected a number above 0, at most 1, found 'nan'"),
                (["--temperature", "-1"], "--temperature: expected a number of 0 or more"), (["--wat"], "no option --wat"),
                (["--seed", "-1"], "--seed: expected"), (["--json=1"], "--json takes no value"), (["a", "b"], "one prompt"),
                (["a", "--prompt", "b"], "one prompt"), (["--prompt-ids", "1,x"], "'x'"),
                (["--prompt-ids", "9999"], "not in the vocabulary"), (["--isa", "z80"], "no code for 'z80'")):
            done = harness.run(program, *arguments, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_encoders(self):
        """The program of an encoder is `sinter embed` or `sinter classify`, to the bit."""
        ids = ("--ids", "5,17,300,2", "--ids", "9,250")
        for shape, command, arguments in (
                ("tiny-bert", "embed", ()), ("tiny-bert", "embed", ("--pooling", "max", "--normalize")),
                ("tiny-bert-classifier", "classify", ("--json",)), ("tiny-bert-tagger", "classify", ("--json",))):
            with self.subTest(shape, arguments=arguments):
                package = harness.package(harness.random_model(shape), "--quantize", "f32")
                program = self.make(shape, "--output-kind", "exe", source=package)
                told = json.loads(harness.run(program, *ids, *arguments).stdout)
                self.assertEqual(told, harness.sinter_json(command, package, *ids, *arguments))
                self.assertEqual(self.options(harness.run(program, "--help").stdout) - {"--version", "--isa"},
                                 self.options(harness.sinter(command, "--help").stdout) - {"--device"})
                if "--json" in arguments:
                    self.assertEqual(harness.run(program, *ids).stdout, harness.sinter(command, package, *ids).stdout)
                for wrong, message in ((["--top-k", "3"], "no option --top-k"), (["--pooling", "wat"], "--pooling"),
                                       (["--ids", "1,x"], "'x'"), ([], "give at least one text")):
                    done = harness.run(program, *wrong, check=False)
                    self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))
                    self.assertIn(message, done.stderr)

    def test_static_library(self):
        library = self.make("libtales.a", "--output-kind", "static")
        self.assertEqual([name for name in names("-g", "--defined-only", library) if not name.startswith("tales_")], [])
        # Compiled for the purpose it has no kernels to measure machines with.
        compiled = self.make("compiled/libtales.a", "--output-kind", "static", "--quantize", "q8", source=harness.model("tales"))
        program = self.build("embedded", EXAMPLES / "embedded-c" / "main.c", compiled, "-s", "-Wl,--gc-sections")
        weights = harness.sinter_json("inspect", self.package)["parts"]["weights"]
        print(f"static example: {os.path.getsize(program) - weights:,} bytes beyond its weights")
        self.assertLessEqual(os.path.getsize(program) - weights, 400 * 1000)  # of which three x86-64 levels of code are 250 KB
        self.assertFalse(names("-D", program) & {"malloc", "calloc", "realloc", "free", "_Znwm", "posix_memalign"})
        self.assertEqual(harness.run(program).stdout, self.text)
        cpp = self.build("embedded-cpp", "-std=c++17", EXAMPLES / "embedded-cpp" / "main.cpp", library, "-lstdc++")
        self.assertEqual(harness.run(cpp).stdout, self.text)

    def test_weights_in_a_file(self):
        library = self.make("libfar.a", "--output-kind", "static", "--weights", "file")
        self.assertLess(os.path.getsize(library), 600 * 1024)
        source = os.path.join(self.folder.name, "far.c")
        with open(source, "w") as file:
            file.write('#include "far.h"\n#include <stdio.h>\nint main(int argc, char **argv) {\n'
                       "  sinter_model *model; sinter_error error;\n"
                       "  if (far_open(argv[1], NULL, &model, &error) != SINTER_OK) return puts(error.message), 1;\n"
                       '  puts(far_model_check(model, &error) == SINTER_OK ? "in order" : error.message);\n'
                       "  far_model_close(model);\n  return 0;\n}\n")
        program = self.build("far", source, library)
        weights = os.path.join(self.folder.name, "far.weights")
        self.assertEqual(harness.run(program, weights).stdout, "in order\n")
        other = self.make("libother.a", "--output-kind", "static", "--weights", "file", "--target", "native",
                          source=harness.model("tales"))
        self.assertTrue(os.path.exists(other))
        done = harness.run(program, os.path.join(self.folder.name, "other.weights"), check=False)
        self.assertEqual((done.returncode, done.stdout), (1, os.path.join(self.folder.name, "other.weights: the weights are of another model\n")))
        self.assertIn("no such file", harness.run(program, "/nowhere", check=False).stdout)
        self.assertIn("not a file of sinter weights", harness.run(program, self.package, check=False).stdout)

    def test_two_models_in_one_program(self):
        writer = self.make("libwriter.a", "--output-kind", "static")
        judge = self.make("libjudge.so", "--output-kind", "shared", "--symbol-prefix", "judge", source=harness.package(
            harness.model("tales"), "--quantize", "q4"))
        self.assertEqual([name for name in names("-D", "--defined-only", judge) if not name.startswith("judge_")], [])
        both_static = self.make("libjudge.a", "--output-kind", "static", source=harness.package(
            harness.model("tales"), "--quantize", "q4"))
        outputs = set()
        for second in (judge, both_static):
            program = self.build("two", EXAMPLES / "two-models" / "main.c", writer, second, "-lm", "-Wl,-rpath,$ORIGIN")
            outputs.add(harness.run(program).stdout)
        self.assertEqual(len(outputs), 1)
        self.assertRegex(outputs.pop(), r"^Once upon a time, .*\nperplexity: 1\.\d\d\n$")

    def test_same_bytes_again(self):
        for kind in ("exe", "static", "shared"):
            with self.subTest(kind):
                made = []
                for _ in range(2):
                    with open(self.make("same", "--output-kind", kind, "--symbol-prefix", "same")
                              if kind != "exe" else self.make("same", "--output-kind", kind), "rb") as file:
                        made.append(file.read())
                self.assertEqual(made[0], made[1])

    def test_killed_compilations_leave_nothing(self):
        """Packages have no name until they are whole; what SIGKILL leaves of other outputs goes with the next one."""
        with tempfile.TemporaryDirectory() as folder:
            killed = subprocess.Popen([harness.SINTERC, harness.model("tales"), "-q", "-o", f"{folder}/m.sinter"])
            seen = set()
            while killed.poll() is None:
                seen |= set(os.listdir(folder))
            self.assertEqual(killed.returncode, 0)
            try:
                os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
                self.assertEqual(seen - {"m.sinter"}, set(), "written under no name")
            except OSError:
                print("this file system knows no files without names")
            dead = killed.pid
            os.mkdir(f"{folder}/libm.a.{dead}.parts")
            for name in (f"libm.a.{dead}.package.tmp", f"libm.a.{os.getpid()}.package.tmp", f"libm.a.{dead}.parts/weights.o"):
                open(f"{folder}/{name}", "w").close()
            harness.sinterc(self.package, "-q", "-o", f"{folder}/libm.a", "--output-kind", "static")
            self.assertEqual(set(os.listdir(folder)),
                             {"m.sinter", "m.h", "m.hpp", "libm.a", f"libm.a.{os.getpid()}.package.tmp"})

    def test_errors_leave_nothing(self):
        target = os.path.join(self.folder.name, "nothing")
        for arguments, message in (
                (["--output-kind", "exe", "--weights", "file"], "are for --output-kind static and shared"),
                (["--static"], "--static is for --output-kind exe"),
                (["--output-kind", "static", "--platform", "pdp11"], "pdp11"),
                (["--output-kind", "static", "--symbol-prefix", "1x"], "expected letters"),
                (["--output-kind", "shared", "--sysroot", self.folder.name], "there is no libc.so.6"),
                (["--output-kind", "exe", "--emit", "tx"], "no --emit")):
            done = harness.sinterc(self.package, "-o", target, *arguments, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(message, done.stderr)
            self.assertFalse(os.path.exists(target), arguments)
        self.assertEqual([name for name in os.listdir(self.folder.name) if ".tmp" in name or ".parts" in name], [])
        broken = os.path.join(self.folder.name, "broken.sinter")
        with open(self.package, "rb") as whole, open(broken, "wb") as file:
            file.write(whole.read()[:-100])
        done = harness.sinterc(broken, "-o", target, "--output-kind", "exe", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("broken.sinter", done.stderr)


if __name__ == "__main__":
    harness.main()
