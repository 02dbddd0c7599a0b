"""Manual pages: from the source of a page in man(7) or mdoc(7) to plain text, and to the pages that it cites.

Only as much of the two languages is understood as a byte-level model needs: comments, the page's own title and the
names of macros go, words stay.
"""

import re
from itertools import pairwise

__all__ = ["SHORTEST", "page_of", "plain", "see_also", "without_see_also"]

SHORTEST = 200  # bytes of a page that says something itself

Page = tuple[str, str]  # name and section, as in ("accept", "2")

_COMMENT = re.compile(r"^['.]\s*\\\".*\n?|\\[\"#].*", re.MULTILINE)
_TITLE = re.compile(r"^[.'](?:TH|Dd|Dt|Os)\b.*\n?", re.MULTILINE)
_SECTION = re.compile(r"^\.\s*S[Hh]\s+\"?([^\"\n]*)\"?.*$", re.MULTILINE)
_FONT = re.compile(r"\\f(?:\(..|\[[^]]*\]|.)|\\s[-+]?\d+|\\[&/,|^%]")
_ESCAPE = re.compile(r"\\(?:\((..)|\[([^]\n]*)\]|([-e ~0]))")
_LETTERS = {"aq": "'", "dq": '"', "lq": '"', "rq": '"', "em": "-", "en": "-", "bu": "*", "ha": "^", "ti": "~"}
_LETTERS |= {"-": "-", "e": "\\", " ": " ", "~": " ", "0": " "}
_MACRO = re.compile(r"^[.']\s*[A-Za-z]*", re.MULTILINE)
_LINUX_REFERENCE = re.compile(r"\b([\w.+:-]+)\s*\((\d)\w*\)")
_BSD_REFERENCE = re.compile(r"^\.Xr\s+(\S+)\s+(\d)", re.MULTILINE)


def page_of(file: str) -> Page:
    """Name and section of a page from the name of its file.

    >>> page_of("accept.2.gz"), page_of("accept.2freebsd.gz"), page_of("ld.so.8.gz")
    (('accept', '2'), ('accept', '2'), ('ld.so', '8'))
    """
    name, section = file.removesuffix(".gz").rsplit(".", 1)
    return name, section[:1]


def without_see_also(source: str) -> str:
    """A page without its section SEE ALSO, wherever that is.

    >>> without_see_also('.SH A\\nwords\\n.SH "SEE ALSO"\\n.BR bind (2)\\n.SH B\\nmore\\n')
    '.SH A\\nwords\\n.SH B\\nmore\\n'
    """
    return "".join(text for title, text in _sections(source) if not _cites(title))


def see_also(source: str) -> set[Page]:
    """The pages that the section SEE ALSO names.

    >>> sorted(see_also('.SH SEE ALSO\\n.BR bind (2),\\n.BR socket (7)\\n'))
    [('bind', '2'), ('socket', '7')]
    >>> see_also('.Sh SEE ALSO\\n.Xr bind 2 ,\\n.Sh HISTORY\\n.Xr not_this 2\\n')
    {('bind', '2')}
    """
    text = _COMMENT.sub("", "".join(text for title, text in _sections(source) if _cites(title)))
    text = _FONT.sub("", text).replace(r"\-", "-")
    return set(_BSD_REFERENCE.findall(text)) | set(_LINUX_REFERENCE.findall(_MACRO.sub("", text)))


def plain(source: str) -> str:
    """A page's words: no comments (they hold licences and dates), no title line, no names of macros, no fonts.

    >>> plain('.\\\\" a comment\\n.TH accept 2\\n.SH NAME\\naccept \\\\- accept a connection\\n.BR bind (2)\\n')
    'NAME\\naccept - accept a connection\\nbind (2)\\n'
    """
    text = _FONT.sub("", _MACRO.sub("", _TITLE.sub("", _COMMENT.sub("", source))))
    text = _ESCAPE.sub(lambda escape: _LETTERS.get(next(filter(None, escape.groups()), ""), ""), text)
    text = re.sub(r"^[ \t]+|[ \t]+$", "", text, flags=re.MULTILINE).replace("\0", "")
    return re.sub(r"\n+", "\n", text).lstrip("\n")


def _sections(source: str) -> list[tuple[str, str]]:
    """(title, text with its title line) of each section; what stands before the first has an empty title."""
    starts = [match.start() for match in _SECTION.finditer(source)]
    titles = ["", *(match.group(1) for match in _SECTION.finditer(source))]
    cuts = [0, *starts, len(source)]
    return [(title, source[a:b]) for title, (a, b) in zip(titles, pairwise(cuts), strict=True)]


def _cites(title: str) -> bool:
    return re.sub(r"\W+", " ", title).strip().upper() == "SEE ALSO"
