"""An installed Sinter as other projects use it: find_package, FetchContent, pkg-config, Debian packages."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

EXAMPLES = harness.ROOT / "docs" / "examples"
STORY = "Once upon a time, there was a little girl named Lily."


class Installing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.prefix = cls.folder / "usr"
        for component in ("runtime", "compiler"):
            harness.run("cmake", "--install", harness.BUILD, "--prefix", cls.prefix, "--component", component)
        # The sources are copied, so that tests may touch them.
        cls.model = cls.folder / "tales model"
        shutil.copytree(harness.model("tales"), cls.model)

    def configure(self, example, *options, kind="installed"):
        build = self.folder / f"{example}-{kind}"
        harness.run("cmake", "-G", "Ninja", "-S", EXAMPLES / example, "-B", build, f"-DTALES={self.model}", *options,
                    env={**os.environ, "CC": shutil.which("clang-22") or "cc", "CXX": shutil.which("clang++-22") or "c++"})
        return build

    def build(self, example, program, *options):
        build = self.configure(example, f"-DCMAKE_PREFIX_PATH={self.prefix}", *options)
        harness.run("ninja", "-C", build)
        return build / program

    def test_components(self):
        runtime = self.folder / "runtime"
        harness.run("cmake", "--install", harness.BUILD, "--prefix", runtime, "--component", "runtime")
        self.assertFalse((runtime / "bin" / "sinterc").exists())
        package = harness.package(harness.model("tales"), "--quantize", "q8")
        self.assertTrue(harness.run(runtime / "bin" / "sinter", "run", package, "Once upon a time", "--temperature", 0,
                                    "--max-tokens", 20).stdout.startswith(STORY))
        for file in runtime.rglob("*"):
            if file.is_file() and not file.is_symlink():
                self.assertNotIn(b"libLLVM", file.read_bytes(), file)

    def test_c_and_rebuilds(self):
        program = self.build("embedded-c", "embedded-c")
        self.assertTrue(harness.run(program).stdout.startswith(STORY))
        again = lambda: harness.run("ninja", "-C", program.parent).stdout
        self.assertIn("no work to do", again())
        (self.model / "config.json").touch()
        self.assertIn("Compiling model tales", again())
        self.assertIn("no work to do", again())
        (self.model / "further.safetensors.txt").touch()  # a new file is a change of the directory
        self.assertIn("Compiling model tales", again())

    def test_cpp(self):
        self.assertTrue(harness.run(self.build("embedded-cpp", "embedded-cpp")).stdout.startswith(STORY))

    def test_two_models(self):
        output = harness.run(self.build("two-models", "two-models")).stdout
        self.assertTrue(output.startswith(STORY))
        self.assertIn("perplexity: 1.", output)

    def test_package(self):
        program = self.build("package", "write")
        package = program.parent / "tales.sinter-model" / "tales.sinter"
        self.assertTrue(harness.run(program, package).stdout.startswith(STORY))

    def test_devices(self):
        program = self.build("device", "continue")
        package = program.parent / "tales.sinter-model" / "tales.sinter"
        expected = harness.sinter_json("run", package, "--prompt-ids", "1,40,7,9,20", "--temperature", 0, "--max-tokens", 10)
        output = harness.run(program, package).stdout.split(":")
        self.assertEqual(output[-1].split(), [str(id) for id in expected["tokens"]])
        devices = [row["name"] for row in harness.sinter_json("devices")["devices"]]
        self.assertEqual(":".join(output[:-1]), f"on {devices[0] if devices else 'cpu'}")
        if not shutil.which("pkg-config"):
            return print("SKIPPED: the same by pkg-config, which is not here")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.prefix / "lib" / "pkgconfig")}
        flags = harness.run("pkg-config", "--cflags", "--libs", "sinter-vulkan", env=environment).stdout.split()
        other = self.folder / "device-by-pkg-config"
        harness.run(shutil.which("clang-22") or "cc", EXAMPLES / "device" / "main.c", "-o", other, *flags,
                    f"-Wl,-rpath,{self.prefix / 'lib'}")
        self.assertEqual(harness.run(other, package).stdout, harness.run(program, package).stdout)

    def test_fetch_content(self):
        build = self.configure("embedded-cpp", f"-DSINTER_SOURCE={harness.ROOT}",
                               f"-DSINTER_SINTERC={self.prefix / 'bin' / 'sinterc'}", kind="sources")
        harness.run("ninja", "-C", build)
        self.assertTrue(harness.run(build / "embedded-cpp").stdout.startswith(STORY))

    def test_another_machine(self):
        """The compiler of this machine, the runtime and the models for another one: C with two models, and C++."""
        toolchain, emulator = harness.ROOT / "cmake" / "aarch64-linux.cmake", shutil.which("qemu-aarch64")
        root = pathlib.Path("/usr/aarch64-linux-gnu")
        if not emulator or not (root / "lib" / "libc.so.6").exists() or not toolchain.exists():
            self.skipTest("there is no qemu-aarch64, or no C library for aarch64 (Debian: qemu-user, g++-aarch64-linux-gnu)")
        native = harness.run(self.build("two-models", "two-models")).stdout
        for example, matches in (("two-models", native.split("perplexity")[0]), ("embedded-cpp", STORY)):
            build = self.configure(example, "--toolchain", toolchain, "-DCMAKE_EXE_LINKER_FLAGS=",
                                   f"-DSINTER_SOURCE={harness.ROOT}", f"-DSINTER_SINTERC={self.prefix / 'bin' / 'sinterc'}",
                                   kind="aarch64")
            harness.run("ninja", "-C", build, example)
            program = build / example
            self.assertIn("AArch64", harness.run("readelf", "-h", program).stdout)
            output = harness.run(emulator, "-L", root, "-cpu", "max", program).stdout
            self.assertTrue(output.startswith(matches), output)

    def test_wrong_arguments_are_named(self):
        project = self.folder / "wrong"
        project.mkdir()
        for call, message in (("SOURCE /nowhere", "/nowhere is not there"), ("", "SOURCE is missing"),
                              (f"SOURCE \"{self.model}\" KIND exe", "KIND is 'exe'"),
                              (f"SOURCE \"{self.model}\" FOO 1", "there is no argument 'FOO")):
            (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(wrong C)\n"
                                                    f"find_package(Sinter REQUIRED)\nsinter_add_model(m {call})\n")
            done = harness.run("cmake", "-S", project, "-B", project / "b", f"-DCMAKE_PREFIX_PATH={self.prefix}", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(message, " ".join(done.stderr.split()))

    def test_pkg_config(self):
        if not shutil.which("pkg-config"):
            self.skipTest("pkg-config is not here")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.prefix / "lib" / "pkgconfig")}
        flags = harness.run("pkg-config", "--cflags", "--libs", "sinter-tokenizer", "sinter", env=environment).stdout.split()
        program = self.folder / "by-pkg-config"
        harness.run(shutil.which("clang-22") or "cc", EXAMPLES / "package" / "main.c", "-o", program, *flags,
                    f"-Wl,-rpath,{self.prefix / 'lib'}")
        package = harness.package(harness.model("tales"), "--quantize", "q8")
        self.assertTrue(harness.run(program, package).stdout.startswith(STORY))

    def test_debian_packages(self):
        if not shutil.which("dpkg-deb"):
            self.skipTest("dpkg-deb is not here")
        harness.run("cpack", "--config", harness.BUILD / "CPackConfig.cmake", "-B", self.folder / "debs")
        packages = {path.name.split("_")[0]: path for path in (self.folder / "debs").glob("*.deb")}
        self.assertEqual(set(packages), {"sinter", "sinterc"})
        depends = lambda name: harness.run("dpkg-deb", "-f", packages[name], "Depends").stdout
        self.assertNotIn("llvm", depends("sinter").lower())
        self.assertIn("libllvm22", depends("sinterc"))
        root = self.folder / "root"
        for path in packages.values():
            harness.run("dpkg-deb", "-x", path, root)
        program = self.folder / "from-deb"
        harness.run(root / "usr" / "bin" / "sinterc", self.model, "-q", "-o", program, "--output-kind", "exe",
                    "--quantize", "q8")
        self.assertTrue(harness.run(program, "Once upon a time", "--temperature", 0).stdout.startswith(STORY))


if __name__ == "__main__":
    harness.main()
