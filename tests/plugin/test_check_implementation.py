"""`./conform check-implementation`: every mistake is told, in a line of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fixtures.catalogue import implementation
from tests.conftest import ROOT

_EXAMPLES = ROOT / "tests" / "implementations"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small proxy with its files; all requirements are the one that it lists first,
    and one of a feature.
    """
    made = tmp_path / "proxy"
    shutil.copytree(_EXAMPLES, made)
    known = {"np-a": {"feature": None}, "np-b": {"feature": "sctp"}, "np-c": {"feature": "bursts"}}
    monkeypatch.setattr(implementation, "collected", lambda: known)
    (made / "tiny_nft.expected-failures.toml").write_text(
        '[[expected]]\nrequirement = "np-a"\nreason = "x"\nreference = "https://example.org"\n'
    )
    return made


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str], str]:
    """The exit code, what was printed, and what was complained of."""
    code = implementation.main([str(each) for each in arguments])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_where_nothing_is_wrong_it_says_what_it_has_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines, complaints = told(capsys, folder / "tiny_nft.toml")
    assert (code, complaints) == (0, "")
    assert lines[0].startswith("tiny-nft (v0.1): nothing is wrong")
    assert lines[1].endswith("judged by 2 of 3 requirements")
    assert lines[2:] == ["  expected failures: 1"]


def test_all_mistakes_of_a_file_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "tiny_nft.toml"
    change(file, 'ready = ""', "")
    change(file, 'name = "tiny-nft"', 'name = 3\nnmae = "x"')
    change(file, "[modes.tiny]", "[modes.tiny]\nstepwise = 1\ntrail = []")
    change(file, 'daemonset = "kube-system/tiny-nft"', "")
    (folder / "tiny_nft.toml").write_text(file.read_text() + "\n[[lacking]]\nversions = 2\n")
    code, lines, _ = told(capsys, file)
    assert code == 1
    said = [line.removeprefix(f"{file}: ") for line in lines]
    assert [each.partition("; known are")[0] for each in said] == [
        "[modes.tiny]: stepwise: bool is needed, not 1",
        "[modes.tiny]: trail is unknown",
        "[kind]: daemonset is missing",
        "[[lacking]] number 1: versions: str is needed, not 2",
        "[[lacking]] number 1: features is missing",
        "[[lacking]] number 1: reference is missing",
        "name: str is needed, not 3",
        "nmae is unknown",
        "ready is missing",
    ]


def test_all_that_does_not_go_together_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "tiny_nft.toml"
    change(file, '"{kubeconfig}"', '"{kubeconfg}"')
    change(file, '["sctp",', '["stcp", "burst",')
    change(file, '"tiny_nft/manifest.yaml"', '"tiny_nft/manifesto.yaml"')
    change(file, 'present = ["nft"', 'present = ["nftx"')
    change(file, '"tiny_nft/tiny_nft.py"', '"tiny_nft/tiny.py"')
    with (folder / "tiny_nft.expected-failures.toml").open("a") as listed:
        listed.write(
            '[[expected]]\nrequirement = "np-bb"\nmodes = ["large"]\nreason = "x"\n'
            'reference = "y"\nversions = "before 2"\n[[expected]]\nrequirement = 7\n'
        )
    code, lines, _ = told(capsys, file)
    assert code == 1
    wanted = [
        "features: no feature is called 'burst'; the nearest is 'bursts'",
        "features: no feature is called 'stcp'; the nearest is 'sctp'",
        "argv: {kubeconfg} is not filled in; the nearest that is, is {kubeconfig}",
        "[[expected]] number 2: versions: 'before 2' is none such as",
        "[[expected]] number 3: requirement: str is needed, not 7",
        "[[expected]] number 3: reason is missing",
        "[[expected]] number 3: reference is missing",
        "np-bb: tiny-nft has no mode 'large': choose from tiny",
        "there is no requirement np-bb; the nearest is np-b",
        "[kind]: manifest: there is no file",
        "tiny mode needs nftx, which is not on PATH",
        "there is no binary",
    ]
    assert len(lines) == len(wanted)
    for line, part in zip(lines, wanted, strict=True):
        assert part in line


@pytest.mark.parametrize("named", ["no-such-hooks", "tiny_nft/none.sh"])
def test_a_hook_program_that_is_none_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    file = folder / "tiny_nft.toml"
    change(file, 'ready = ""', f'ready = ""\nhooks = ["{named}"]\npods = 8')
    code, lines, _ = told(capsys, file)
    assert (code, lines) == (1, [f"{file}: hooks: there is no program {named}"])
    (folder / "tiny_nft" / "none.sh").write_text("#!/bin/sh\n")
    (folder / "tiny_nft" / "none.sh").chmod(0o755)
    assert told(capsys, file)[0] == (0 if "/" in named else 1)


def test_pods_that_nobody_is_told_of_are_a_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "tiny_nft.toml"
    change(file, 'ready = ""', 'ready = ""\npods = 8\nprivileges = "much"')
    code, (line,), _ = told(capsys, file)
    assert code == 1
    assert "privileges" in line
    change(file, '"much"', '"none"')
    code, (line,), _ = told(capsys, file)
    assert (code, "pods: there is no program in hooks" in line) == (1, True)


def test_privileges_that_are_lacking_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "tiny_nft.toml"
    change(file, 'ready = ""', 'ready = ""\nprivileges = "bpf"')
    monkeypatch.setattr("os.getuid", lambda: 1000)
    code, lines, _ = told(capsys, file)
    assert (code, lines) == (1, ["tiny-nft needs root: run the suite as root"])


def test_a_program_that_is_none_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = (folder / "tiny_nft.toml", "--proxy-binary", "/bin/false")
    code, (line,), _ = told(capsys, *asked)
    assert code == 1
    assert "/bin/false is no tiny-nft: asked for its version it said" in line


def test_what_is_no_file_is_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, complaint = told(capsys, folder / "none.toml")
    assert (code, lines) == (2, [])
    assert "there is no implementation" in complaint
    (folder / "tiny_nft.toml").write_text("name = ")
    code, lines, complaint = told(capsys, folder / "tiny_nft.toml")
    assert (code, lines) == (2, [])
    assert "cannot be read" in complaint
    assert complaint.count("\n") == 1
