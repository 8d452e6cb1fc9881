"""public_headers.py - what include/mmarn/*.h declare, read from their text: for the checks that lie beside it.

The headers are plain: `MMARN_API type name(arguments);`, `typedef struct name { fields } name;`, `enum { NAME = value,
};`, `typedef type name;` and `#define MMARN_NAME number`. Nothing else is understood, nor needed.
"""

import re


def _without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def _squeeze(text):
    """One space between words, none before punctuation but for stars."""
    text = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.split())).replace(",", ", ")
    return re.sub(r"\s*(\*+)\s*", r" \1", text).replace("( ", "(")


class Headers:
    """functions: {name: prototype}; constants, macros: [name]; typedefs: {name: type}; structs: {name: [(type, field)]}.

    All in the order of the files, which are read by name.
    """

    def __init__(self, root):
        self.functions, self.constants, self.macros, self.typedefs, self.structs = {}, [], [], {}, {}
        self.paths = sorted((root / "include/mmarn").glob("*.h"))
        for path in self.paths:
            self._read(_without_comments(path.read_text()))

    def _read(self, text):
        self.macros += re.findall(r"^#define (MMARN_(?!VERSION)\w+) \d+$", text, flags=re.MULTILINE)
        text = re.sub(r"\\\n", " ", text)
        text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
        for name, arguments in re.findall(r"\bMMARN_API\b([^;(]*?\w+)\s*\(([^;]*)\)\s*;", text):
            self.functions[name.split()[-1].lstrip("*")] = f"{_squeeze(name)}({_squeeze(arguments)})"
        for body in re.findall(r"\benum\s*\{([^}]*)\}", text):
            self.constants += re.findall(r"(\w+)\s*=", body)
        for name, body in re.findall(r"\btypedef struct (\w+)\s*\{([^}]*)\}\s*\1\s*;", text):
            self.structs[name] = [field for line in body.split(";") if line.strip() for field in self._fields(line)]
        for declaration in re.findall(r"\btypedef\s+((?!struct\s+\w+\s*\{)[^;{]*);", text):
            name = re.search(r"\(\*(\w+)\)", declaration) or re.search(r"(\w+)\s*$", declaration)
            self.typedefs[name.group(1)] = _squeeze(declaration)

    @staticmethod
    def _fields(line):
        """(type, name) of each field that a declaration has."""
        pointer = re.search(r"\(\*(\w+)\)", line)
        if pointer:
            return [(_squeeze(line), pointer.group(1))]
        first, *others = line.split(",")
        kind, name = re.fullmatch(r"\s*(.*?)(\**\w+(?:\[\w+\])?)\s*", first, flags=re.DOTALL).groups()
        fields = []
        for each in [name, *(other.strip() for other in others)]:
            stars, field, count = re.fullmatch(r"(\**)(\w+)(\[\w+\])?", each).groups()
            fields.append((_squeeze(kind + stars) + (count or ""), field))
        return fields
