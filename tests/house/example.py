"""Shows a run in the README: ``python -m tests.house.example results/latest`` puts the end of its
output, a picture of its report and one of the examples' comparison where the README has them. With
a folder of releases, ``results/releases``, their page, table and picture, too; with folders of
rehearsals after that, the page of all of them and its picture.

Needs Debian's chromium and poppler-utils.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reports.model import migration
from reports.model.run import read
from reports.pages import migration_page
from reports.texts.terminal import summary

ROOT = Path(__file__).parents[2]
_SHOWN = re.compile(r"(?<=```text\n)kube-proxy v.*?(?=```)", re.DOTALL)


def main(run: Path, releases: Path | None = None, *rehearsals: Path) -> int:
    """Rewrite the README's example and the pictures."""
    readme = ROOT / "README.md"
    text = summary(read(run), report=f"results/{run.resolve().name}/report.html")
    shown = _SHOWN.subn(lambda _: text.strip() + "\n", readme.read_text())
    if shown[1] != 1:
        print("README.md shows no run, or several", file=sys.stderr)
        return 2
    readme.write_text(shown[0])
    examples = sorted((ROOT / "docs" / "examples").glob("*.jsonl.xz"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "compare.html"
        compare = [
            sys.executable,
            "-m",
            "reports",
            "compare",
            *map(str, examples),
            "--html",
            str(page),
        ]
        subprocess.run(compare, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        picture(page, ROOT / "docs" / "compare.svg")
    picture(run / "report.html", ROOT / "docs" / "report.svg")
    if releases:
        for name in ("releases.html", "releases.md"):
            shutil.copy(releases / name, ROOT / "docs" / "examples")
        picture(releases / "releases.html", ROOT / "docs" / "releases.svg")
    if rehearsals:
        show_rehearsals(rehearsals)
    return 0


def show_rehearsals(folders: Sequence[Path]) -> None:
    """Rewrite the page of rehearsals, the first of which is on the picture."""
    found = [migration.read(folder) for folder in folders]
    page = ROOT / "docs" / "examples" / "migration.html"
    page.write_text(migration_page.render(*found))
    picture(page, ROOT / "docs" / "migrating.svg")


def picture(page: Path, place: Path) -> None:
    """Draw the first sheet of a page, as it is on paper."""
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "sheet.pdf"
        browser = [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"),
        ]
        subprocess.run(
            [*browser, f"--print-to-pdf={sheet}", page.resolve().as_uri()],
            check=True,
            capture_output=True,
        )
        subprocess.run(["pdftocairo", "-svg", "-f", "1", "-l", "1", sheet, place], check=True)


if __name__ == "__main__":
    if missing := [name for name in ("chromium", "pdftocairo") if not shutil.which(name)]:
        sys.exit(f"install Debian's chromium and poppler-utils: no {', '.join(missing)} here")
    sys.exit(main(*map(Path, sys.argv[1:] or [f"{ROOT}/results/latest"])))
