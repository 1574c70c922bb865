"""The process that converts documents: a JSON request a line in, a JSON answer a line out.

{"path": "/a.pdf", "kind": ".pdf"}  ->  {"text": …, "title": …, "note": …} or {"error": …}
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from knowledge_base.errors import BadArticle

MEMORY_BYTES = 2_000_000_000


def convert(path: Path, kind: str) -> dict[str, str | None]:
    """Text as Markdown. Raises BadArticle for what a person can put right."""
    from knowledge_base.readers.docx import docx_markdown
    from knowledge_base.readers.pdf import pdf_markdown

    converters: dict[str, Callable[[Path], tuple[str, str, str | None]]] = {
        ".pdf": pdf_markdown,
        ".docx": docx_markdown,
    }
    text, title, note = converters[kind](path)
    return {"text": text, "title": title, "note": note}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, str | None]
        try:
            answer = convert(Path(request["path"]), request["kind"])
        except BadArticle as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": f"needs more than {MEMORY_BYTES / 1e9:.0f} GB of memory"}
        except Exception as error:  # noqa: BLE001 - converters raise whatever a broken file makes them
            answer = {"error": f"cannot be converted: {type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
