"""Every command in README.md and docs/ does what it says: blocks marked `sh` are run, in the order of their page, in a folder
with the tree's build/, models/ and docs/. What needs something that is not here says so in a comment before the block:

    <!-- test: skip: reason -->
"""

import pathlib
import re
import tempfile
import unittest

import harness

# Placeholders of the texts, and files that they speak of.
NAMES = {"path/to/model": "models/tales", "/opt/sinter": "installed"}
FILES = {"file.txt": "Once upon a time, there was a little dog.\n", "lines.txt": "a cat\na dog\n"}
LANGUAGES = {"sh", "c", "cpp", "cmake", "mlir", "python", "json", "text"}


def blocks(page):
    """(language, text, reason to skip) of each fenced block."""
    pattern = r"(?:<!-- test: skip: ([^>]*?) -->\n)?^```(\w*)\n(.*?)^```$"
    for skip, language, text in re.findall(pattern, page.read_text(), re.MULTILINE | re.DOTALL):
        yield language, text, skip


def pages():
    for page in [harness.ROOT / "README.md", *sorted((harness.ROOT / "docs").rglob("*.md"))]:
        if "generated" not in page.parts:
            yield page


class Documentation(unittest.TestCase):
    def test_commands(self):
        ran = 0
        for page in pages():
            with self.subTest(page.name), tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                for link in ("models", "docs", "runtime", "scripts", "cmake"):
                    (folder / link).symlink_to(harness.ROOT / link)
                (folder / "build").symlink_to(harness.BUILD)
                for file, text in FILES.items():
                    (folder / file).write_text(text)
                for language, text, skip in blocks(page):
                    if language == "c" and "int main(" in text:
                        (folder / "write.c").write_text(text)
                    if language != "sh":
                        continue
                    if skip:
                        print(f"{page.name}: not run ({skip}): {text.splitlines()[0]}")
                        continue
                    for placeholder, real in NAMES.items():
                        text = text.replace(placeholder, real)
                    harness.run("bash", "-euo", "pipefail", "-c", text, cwd=folder)
                    ran += 1
        self.assertGreater(ran, 7)

    def test_blocks_say_what_they_are(self):
        for page in pages():
            for language, text, _ in blocks(page):
                self.assertIn(language, LANGUAGES, f"{page.name}: a block of '{language}': {text.splitlines()[0]}")

    def test_links_lead_somewhere(self):
        for page in pages():
            for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page.name} links to {target}")

    def test_write_c_is_the_example(self):
        page = (harness.ROOT / "docs" / "quick-start.md").read_text()
        example = (harness.ROOT / "docs" / "examples" / "package" / "main.c").read_text()
        self.assertIn(example.split("*/\n", 1)[1], page)


if __name__ == "__main__":
    harness.main()
