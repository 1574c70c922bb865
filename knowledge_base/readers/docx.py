"""Word documents by mammoth: headings, lists and tables survive, pictures do not."""

from __future__ import annotations

from pathlib import Path

from knowledge_base.errors import BadArticle
from knowledge_base.readers.html import parse_page

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => h2:fresh
"""


def docx_markdown(path: Path) -> tuple[str, str, str | None]:
    """(Markdown, title or '', note). Raises BadArticle."""
    import mammoth

    def no_picture(image: object) -> dict[str, str]:
        return {}

    with path.open("rb") as stream:
        result = mammoth.convert_to_html(
            stream, style_map=_STYLES, convert_image=mammoth.images.img_element(no_picture)
        )
    text = parse_page(result.value).text
    if not text:
        raise BadArticle("the document holds no text")
    return text, "", None
