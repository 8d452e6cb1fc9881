# SPDX-License-Identifier: MIT
"""public_headers.py - what include/mmarn/*.h declare, read from their text: for the checks that lie beside it.

The headers are plain: `MMARN_API type name(arguments);`, `typedef struct name { fields } name;`, `enum { NAME, ... };`
with or without a name, `typedef type name;`, `struct name;` and `#define NAME number`. Whatever else they have is
listed as not understood: a declaration that was passed over could change without anybody being told.
"""

import re

ENUM = re.compile(r"(?:typedef )?enum(?: \w+)? ?\{([^{}]*)\} ?(\w*)")
STRUCT = re.compile(r"typedef struct (\w+) ?\{([^{}]*)\} ?\1")
TYPEDEF = re.compile(r"typedef ([\w *]+[ *](\w+)|[\w *]+\( ?\* ?(\w+) ?\) ?\([^()]*\))")
FUNCTION = re.compile(r"MMARN_API ([\w *]+[ *](\w+)) ?\(((?:[^()]|\([^()]*\))*)\)")
FIELD = re.compile(r"([\w *]+[ *])([A-Za-z_]\w*) ?((?:\[[^\]]*\] ?)*)")
FIELD_POINTER = re.compile(r"[\w *]+\( ?\* ?(\w+) ?\) ?\([^()]*\)")


def _squeeze(text):
    """One space between words, none before punctuation but for stars."""
    text = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.split())).replace(",", ", ")
    return re.sub(r"\s*(\*+)\s*", r" \1", text).replace("( ", "(")


def _statements(text):
    """What lies between semicolons that are in no braces, with one space between words."""
    depth = start = 0
    for at, character in enumerate(text + ";"):
        depth += (character == "{") - (character == "}")
        if character == ";" and (depth == 0 or at == len(text)):
            if text[start:at].strip():
                yield " ".join(text[start:at].split())
            start = at + 1


class Headers:
    """functions: {name: prototype}; typedefs: {name: type}; structs: {name: [(type, field)]}; constants, macros: names;
    not_understood: a sentence for each thing that is none of these.

    All in the order of the files, which are read by name.
    """

    def __init__(self, root):
        self.functions, self.constants, self.macros, self.typedefs, self.structs = {}, [], [], {}, {}
        self.not_understood = []
        self.paths = sorted((root / "include/mmarn").glob("*.h"))
        for path in self.paths:
            text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.DOTALL).replace("\\\n", " ")
            wrong = [line.strip() for line in text.splitlines() if not self._macro(line)]
            text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
            text = re.sub(r'extern\s+"C"\s*\{(.*)\}', r"\1", text, flags=re.DOTALL)
            wrong += [statement for statement in _statements(text) if not self._statement(statement)]
            name = path.relative_to(root).as_posix()
            self.not_understood += [f'{name}: "{each}" is not understood; tools/public_headers.py says what is'
                                    for each in wrong]

    def _macro(self, line):
        found = re.fullmatch(r"\s*#\s*define\s+(\w+)(\(?)(.*)", line)
        if not found or found.group(1) == "MMARN_API" or found.group(1).startswith("MMARN_VERSION"):
            return True
        name, has_arguments, value = found.group(1), found.group(2), found.group(3).strip()
        if has_arguments:
            return False
        if not value or value.startswith("{"):  # an include guard; an _INIT, whose struct is listed
            return True
        if re.fullmatch(r"[\w\s()+*/%<>&|^~-]+", value):
            self.macros.append(name)
        return name in self.macros

    def _statement(self, text):
        if found := FUNCTION.fullmatch(text):
            self.functions[found.group(2)] = f"{_squeeze(found.group(1))}({_squeeze(found.group(3))})"
        elif found := ENUM.fullmatch(text):
            self.constants += [item.split("=")[0].strip() for item in found.group(1).split(",") if item.strip()]
            if found.group(2):
                self.typedefs[found.group(2)] = f"enum {found.group(2)}"
        elif found := STRUCT.fullmatch(text):
            lines = [line.strip() for line in found.group(2).split(";") if line.strip()]
            fields = [self._fields(line) for line in lines]
            self.structs[found.group(1)] = [field for line in fields for field in line]
            return all(fields)
        elif found := TYPEDEF.fullmatch(text):
            self.typedefs[found.group(2) or found.group(3)] = _squeeze(found.group(1))
        else:
            return re.fullmatch(r"struct \w+", text)
        return True

    @staticmethod
    def _fields(line):
        """(type, name) of each field that a declaration has; none where it is not understood."""
        if pointer := FIELD_POINTER.fullmatch(line):
            return [(_squeeze(line), pointer.group(1))]
        first, *others = line.split(",")
        kind = re.match(r"[\w ]*(?= |\*)", first)  # without stars: each name has its own
        if not kind:
            return []
        found = [FIELD.fullmatch(each) for each in [first, *(f"{kind.group()} {other.strip()}" for other in others)]]
        if not all(found):
            return []
        return [(_squeeze(each.group(1)) + each.group(3).strip(), each.group(2)) for each in found]
