"""What the end-to-end tests share: where things are, packages compiled once per build, and tests that say why they skip.

Tests run the programs as a user does, from the command line, and look at nothing but what they print and write. ctest
runs each file with SINTER_BUILD set; `SINTER_BUILD=build python3 test/e2e/goldens.py tales` does the same by hand.
SINTER_SHARED names the folder with models and goldens that are not part of this repository (default: ../shared).
"""

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import pty
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SINTER_BUILD", ROOT / "build")).resolve()
SHARED = pathlib.Path(os.environ.get("SINTER_SHARED", ROOT.parent / "shared"))
WORK = BUILD / "e2e"
SINTER = BUILD / "bin" / "sinter"
SINTERC = BUILD / "bin" / "sinterc"
TARGETS = ["x86-64", "x86-64-avx2", "x86-64-avx512vnni"]
SKIPPED = 77  # the exit code that ctest takes for "skipped"


def run(*command, check=True, **options):
    """Runs a program; its output is text in .stdout and .stderr. Fails the test if it fails and `check` is set."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 600, **options}
    done = subprocess.run([str(part) for part in command], **options)
    for stream in ("stdout", "stderr"):
        if isinstance(getattr(done, stream), bytes):
            setattr(done, stream, getattr(done, stream).decode("utf-8", "replace"))
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)}\nexit code {done.returncode}\n{done.stderr}")
    return done


def sinter(*arguments, **options):
    return run(SINTER, *arguments, **options)


def sinterc(*arguments, **options):
    return run(SINTERC, *arguments, **options)


def sinter_json(*arguments, **options):
    return json.loads(sinter(*arguments, "--json", **options).stdout)


def on_terminal(*command):
    """What a program writes to standard error where that is a terminal, as bytes."""
    controller, terminal = pty.openpty()
    subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal,
                   check=True)
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 4096):
            shown += piece
    except OSError:
        pass  # the other end is closed and everything was read
    os.close(controller)
    return shown


def model(name):
    """The directory of a model: ours, or one of the shared folder's. Skips the test where that is absent."""
    ours = ROOT / "models" / name
    if ours.is_dir():
        return ours
    shared = SHARED / "models" / name
    if not shared.is_dir():
        raise unittest.SkipTest(f"{shared} is not here (set SINTER_SHARED)")
    return shared


def golden(name):
    """A file of the shared folder's goldens. Skips the test where that is absent."""
    path = SHARED / "goldens" / name
    if not path.is_file():
        raise unittest.SkipTest(f"{path} is not here (set SINTER_SHARED)")
    return path


@contextlib.contextmanager
def locked(path):
    """One process at a time: ctest runs several tests at once, and they share packages and models."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def newer(made, *sources):
    return made.exists() and all(made.stat().st_mtime >= source.stat().st_mtime for source in sources)


def random_model(shape, dtype="f32"):
    """A model of scripts/make-model.py, written once."""
    script = ROOT / "scripts" / "make-model.py"
    directory = WORK / "models" / f"{shape}-{dtype}"
    with locked(directory):
        if not newer(directory / "config.json", script):
            run(sys.executable, script, shape, "--out", directory, "--dtype", dtype)
    return directory


def package(directory, *options):
    """A compiled model, compiled again only if the compiler or the model has changed."""
    name = "".join(c if c.isalnum() else "-" for c in "".join([directory.name, *map(str, options)]))
    path = WORK / f"{name}.sinter"
    with locked(path):
        if not newer(path, SINTERC, *directory.iterdir()):
            sinterc(directory, "-o", path, "-q", *options)
    return path


FAT = ["native", "aarch64-linux", "vulkan", "metal"]


def fat(name, format, *options):
    """A model with code for this machine's CPU, every level of 64-bit ARM, and GPUs, which tests of all of them share."""
    return package(model(name), "--quantize", format, "--target", ",".join(FAT), "--context", 128, *options)


@functools.lru_cache(maxsize=None)
def runnable(path):
    """The targets of a package that this machine can run; says which ones it cannot."""
    names = [row["target"] for row in sinter_json("inspect", path)["targets"]]
    good = [name for name in names if sinter("inspect", path, "--isa", name, check=False).returncode == 0]
    for name in set(names) - set(good):
        print(f"SKIPPED: this machine does not run {name}")
    return good


def main():
    """Runs the calling file's tests; exits with SKIPPED if all of them were skipped, by themselves or with their class."""
    program = unittest.main(argv=[sys.argv[0], *sys.argv[1:]], exit=False, verbosity=2)
    for test, reason in program.result.skipped:
        print(f"SKIPPED: {test.id()}: {reason}")
    sys.stdout.flush()
    if not program.result.wasSuccessful():
        sys.exit(1)
    # What setUpClass skips is a class, and what subTest skips a part of a test; only whole tests count as run.
    tests = [test for test, _ in program.result.skipped
             if isinstance(test, unittest.TestCase) and not hasattr(test, "test_case")]
    ran = program.result.testsRun - len(tests)
    if not ran and not program.result.skipped:
        sys.exit("no test ran")
    sys.exit(0 if ran else SKIPPED)
